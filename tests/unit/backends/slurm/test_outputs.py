"""Files that a script left, as outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula import Directory, File
from alula.backends.slurm.outputs import collected
from alula.data.stores import Objects
from alula.errors import Rejected
from alula.idl import LiteralMap
from alula.types.registry import default


async def outputs(tmp_path: Path, **types: object) -> LiteralMap:
    declared = {name: default.converter(t).literal_type for name, t in types.items()}
    return await collected(declared, lambda name: tmp_path / name, Objects(), str(tmp_path / "raw"))


async def test_text_becomes_a_value_of_the_declared_type(tmp_path: Path) -> None:
    for name, text in {"n": " 7\n", "x": "0.5", "ok": "yes", "s": "two\nlines\n", "maybe": ""}.items():
        (tmp_path / name).write_text(text)
    made = await outputs(tmp_path, n=int, x=float, ok=bool, s=str, maybe=int | None)
    assert made.literals["n"].scalar.primitive.integer == 7
    assert made.literals["x"].scalar.primitive.float_value == 0.5
    assert made.literals["ok"].scalar.primitive.boolean is True
    assert made.literals["s"].scalar.primitive.string_value == "two\nlines"
    assert made.literals["maybe"].scalar.union.value.scalar.HasField("none_type")


async def test_files_and_directories_go_where_outputs_lie(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "one").write_text("1")
    made = await outputs(tmp_path, f=File, d=Directory)
    assert Path(made.literals["f"].scalar.blob.uri).read_text() == "content"
    assert (Path(made.literals["d"].scalar.blob.uri) / "one").read_text() == "1"


async def test_everything_that_is_missing_or_wrong_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("seven")
    with pytest.raises(Rejected) as caught:
        await outputs(tmp_path, n=int, gone=str)
    assert "output 'n'" in caught.value.what
    assert "nothing for output 'gone'" in caught.value.what
    assert caught.value.code == "USER:MissingOutput"
