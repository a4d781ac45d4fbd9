"""Inputs as files: one for each, and those that describe them all."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import yaml

from alula.containers.files import lay_in
from alula.data.stores import Objects
from alula.errors import TaskFailure
from alula.idl import DataLoadingConfig, IOStrategy, Literal, LiteralMap, LiteralType, literals
from tests.unit.containers.files.making import FILE, FILES, FOLDER, INT, MAYBE, NAMED, NONE, STR, TABLE, Types, raw


async def laid(
    folder: Path, types: Types, values: dict[str, Literal], objects: Objects | None = None, **more: object
) -> Path:
    await lay_in(objects or Objects(), raw(types, **more), LiteralMap(literals=values), folder / "in")
    return folder / "in"


def tree(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not name.startswith("inputs.")}


async def test_files_tables_and_what_holds_them_are_files_and_directories(tmp_path: Path) -> None:
    objects = Objects()
    for name in ("f", "d/a", "d/sub/b", "t/part-0.parquet"):
        await objects.write(f"memory://x/{name}", name.encode())
    blob = literals.blob("memory://x/f")
    values = {
        "f": blob,
        "d": literals.blob("memory://x/d", multipart=True),
        "t": literals.dataset("memory://x/t", TABLE.structured_dataset_type),
        "fs": literals.collection([blob, blob]),
        "named": literals.mapping({"k": blob}),
        "no": literals.union(literals.none(), NONE),
    }
    types = {"f": FILE, "d": FOLDER, "t": TABLE, "fs": FILES, "named": NAMED, "no": MAYBE}
    folder = await laid(tmp_path, types, values, objects)
    assert tree(folder) == {
        "f": b"f",
        "d/a": b"d/a",
        "d/sub/b": b"d/sub/b",
        "t/part-0.parquet": b"t/part-0.parquet",
        "fs/0": b"f",
        "fs/1": b"f",
        "named/k": b"f",
        "no": b"null",
    }
    assert json.loads((folder / "inputs.json").read_text()) == {
        "f": "/in/f",
        "d": "/in/d",
        "t": "/in/t",
        "fs": ["/in/fs/0", "/in/fs/1"],
        "named": {"k": "/in/named/k"},
        "no": None,
    }
    described = LiteralMap.FromString((folder / "inputs.pb").read_bytes()).literals
    assert described["t"].scalar.structured_dataset.uri == "/in/t"
    assert described["fs"].collection.literals[1].scalar.blob.uri == "/in/fs/1"


@pytest.mark.parametrize("format", ["JSON", "YAML", "PROTO"])
async def test_the_description_is_in_the_format_that_the_task_asks_for(tmp_path: Path, format: str) -> None:
    values = {"s": literals.string("yes: ä"), "x": literals.integer(2**60)}
    folder = await laid(tmp_path, {"s": STR, "x": INT}, values, format=DataLoadingConfig.LiteralMapFormat.Value(format))
    there = {path.name for path in folder.glob("inputs.*")}
    assert there == {"JSON": {"inputs.json"}, "YAML": {"inputs.yaml"}, "PROTO": set()}[format] | {"inputs.pb"}
    for path in folder.glob("inputs.[jy]*"):  # any JSON is YAML
        assert yaml.safe_load(path.read_text("utf-8")) == {"s": "yes: ä", "x": 2**60}
    assert LiteralMap.FromString((folder / "inputs.pb").read_bytes()) == LiteralMap(literals=values)


async def test_values_that_lie_elsewhere_are_fetched(tmp_path: Path) -> None:
    objects = Objects()
    await objects.write("memory://x/v", literals.integer(7).SerializeToString())
    lit = Literal()
    lit.offloaded_metadata.uri = "memory://x/v"
    folder = await laid(tmp_path, {"x": INT}, {"x": lit}, objects)
    assert tree(folder) == {"x": b"7"}


async def test_bytes_of_python_are_the_bytes_and_other_pickles_stay_what_they_are(tmp_path: Path) -> None:
    objects = Objects()
    t = LiteralType()
    t.blob.format = "PythonPickle"
    t.metadata.update({"python_class_name": str(bytes)})
    await objects.write("memory://x/b", pickle.dumps(b"\x00raw"))
    await objects.write("memory://x/o", other := pickle.dumps(Path("x")))
    values = {"b": literals.blob("memory://x/b"), "o": literals.blob("memory://x/o")}
    folder = await laid(tmp_path, {"b": t, "o": t}, values, objects)
    assert tree(folder) == {"b": b"\x00raw", "o": other}


async def test_who_wants_no_copies_gets_uris(tmp_path: Path) -> None:
    strategy = IOStrategy(download_mode=IOStrategy.DO_NOT_DOWNLOAD)
    values = {"f": literals.blob("s3://b/f"), "fs": literals.collection([literals.blob("s3://b/g")])}
    folder = await laid(tmp_path, {"f": FILE, "fs": FILES}, values, io_strategy=strategy)
    assert tree(folder) == {"f": b"s3://b/f", "fs": b'["s3://b/g"]'}


async def test_all_faults_are_told_at_once_and_a_store_that_fails_is_worth_another_attempt(tmp_path: Path) -> None:
    values = {"f": literals.blob("nowhere://x/none"), "e": Literal()}
    with pytest.raises(TaskFailure) as caught:
        await laid(tmp_path, {"f": FILE, "e": INT, "m": INT}, values)
    for said in ("input 'f': ", "scheme 'nowhere'", "input 'e': ", "input 'm': there is no value"):
        assert said in caught.value.what
    assert (caught.value.code, caught.value.origin, caught.value.recoverable) == ("InputDownloadFailed", "system", True)
    for hopeless in ({"e": Literal()}, {"e": literals.blob("memory://x/none")}):
        with pytest.raises(TaskFailure) as caught:
            await laid(tmp_path, {"e": INT}, hopeless)
    assert (caught.value.origin, caught.value.recoverable) == ("user", False)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "inputs.json", "_ERROR", "x" * 300, "a\\b"])
async def test_names_that_are_no_names_of_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TaskFailure, match="cannot be laid out"):
        await laid(tmp_path, {name: INT}, {name: literals.integer(1)})


async def test_keys_of_files_cannot_lead_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match=r"key '\.\./k': is no name of a file"):
        await laid(tmp_path, {"d": NAMED}, {"d": literals.mapping({"../k": literals.blob("memory://x/f")})})
    assert not (tmp_path / "k").exists()
