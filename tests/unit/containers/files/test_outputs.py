"""Outputs from files, also from those of somebody hostile."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from alula.containers.files import SAID, outputs, take_out
from alula.data.stores import Objects
from alula.errors import TaskFailure
from alula.idl import IOStrategy, LiteralMap, LiteralType, SimpleType, StructuredDatasetType, literals
from tests.unit.containers.files.making import (
    FILE,
    FILES,
    FOLDER,
    INT,
    MAYBE,
    MAYBE_FILE,
    NAMED,
    NONE,
    STR,
    TABLE,
    Types,
    raw,
)

PREFIX = "memory://raw"


async def taken(folder: Path, types: Types, objects: Objects | None = None, **more: object) -> LiteralMap:
    return await take_out(objects or Objects(), raw(None, types, **more), folder, PREFIX)


def write(folder: Path, **contents: str | bytes | dict[str, str]) -> Path:
    for name, content in contents.items():
        if isinstance(content, dict):
            (folder / name).mkdir()
            write(folder / name, **content)
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


async def failing(folder: Path, types: Types, **more: object) -> TaskFailure:
    with pytest.raises(TaskFailure) as caught:
        await taken(folder, types, **more)
    return caught.value


async def test_files_and_directories_are_uploaded_and_named_by_where_they_are(tmp_path: Path) -> None:
    objects = Objects()
    write(
        tmp_path,
        f="1",
        d={"a": "2", "sub": ""},
        t={"p.parquet": "3"},
        fs={"0": "4", "1": "5"},
        named={"k": "6"},
        b=b"\0",
    )
    raw_bytes = LiteralType()
    raw_bytes.blob.format = "PythonPickle"
    raw_bytes.metadata.update({"python_class_name": str(bytes)})
    types = {"f": FILE, "d": FOLDER, "t": TABLE, "fs": FILES, "named": NAMED, "b": raw_bytes, "n": NONE}
    found = (await taken(tmp_path, types, objects)).literals
    assert found["f"] == literals.blob(f"{PREFIX}/f", format="csv")
    assert found["d"] == literals.blob(f"{PREFIX}/d", multipart=True)
    assert found["t"] == literals.dataset(f"{PREFIX}/t", TABLE.structured_dataset_type)
    assert [one.scalar.blob.uri for one in found["fs"].collection.literals] == [f"{PREFIX}/fs/0", f"{PREFIX}/fs/1"]
    assert found["named"].map.literals["k"].scalar.blob.uri == f"{PREFIX}/named/k"
    assert found["n"] == literals.none()
    stored = {uri.removeprefix(f"{PREFIX}/"): await objects.read(uri) async for uri in objects.list(PREFIX)}
    assert pickle.loads(stored.pop("b")) == b"\0"
    assert stored == {
        "f": b"1", "d/a": b"2", "d/sub": b"", "t/p.parquet": b"3", "fs/0": b"4", "fs/1": b"5", "named/k": b"6"
    }  # fmt: skip


async def test_a_table_without_a_declared_format_is_what_its_files_are(tmp_path: Path) -> None:
    write(tmp_path, a={"x.csv": "1"}, b={"x.parquet": "1"})
    table = LiteralType(structured_dataset_type=StructuredDatasetType())
    found = await taken(tmp_path, {"a": table, "b": table})
    formats = [found.literals[n].scalar.structured_dataset.metadata.structured_dataset_type.format for n in "ab"]
    assert formats == ["csv", "parquet"]


async def test_what_may_be_none_may_be_missing_or_say_null(tmp_path: Path) -> None:
    write(tmp_path, b="null\n", c="5", d="hello", e="null")
    types = {"a": MAYBE, "b": MAYBE, "c": MAYBE, "d": MAYBE_FILE, "e": MAYBE_FILE, "f": MAYBE_FILE}
    found = (await taken(tmp_path, types)).literals
    kinds = {name: literals.kind(found[name].scalar.union.value) for name in types}
    none = "none_type"
    assert kinds == {"a": none, "b": none, "c": "integer", "d": "blob", "e": none, "f": none}


async def test_binary_values_are_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, x=b"\xff\x00")
    found = await taken(tmp_path, {"x": LiteralType(simple=SimpleType.BINARY)})
    assert found.literals["x"].scalar.binary.value == b"\xff\x00"


async def test_who_uploads_by_himself_leaves_uris(tmp_path: Path) -> None:
    write(tmp_path, f="s3://b/f\n", fs='["s3://b/g"]')
    strategy = IOStrategy(upload_mode=IOStrategy.DO_NOT_UPLOAD)
    found = (await taken(tmp_path, {"f": FILE, "fs": FILES}, io_strategy=strategy)).literals
    assert found["f"].scalar.blob.uri == "s3://b/f"
    assert found["fs"].collection.literals[0].scalar.blob.uri == "s3://b/g"


async def test_all_faults_are_told_at_once_with_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, a="x", b={}, c="1", e=b"\xff", g={"0": "", "2": ""}, i='["x"]')
    listed = LiteralType(collection_type=INT)
    types = {"a": INT, "b": FILE, "c": FOLDER, "d": INT, "e": STR, "g": FILES, "h": FILE, "i": listed}
    failure = await failing(tmp_path, types)
    for said in (
        "output 'a': 'x' is no int",
        "output 'b': there is a directory, and a file is declared",
        "output 'c': there is a file, and a directory is declared",
        "output 'd': there is no file d",
        "output 'e': the file is no text in UTF-8",
        "output 'g': the directory g holds 0, 2, and a list is the entries 0, 1, 2",
        "output 'h': there is no file h",
        "output 'i' at [0]: expected int, got 'x'",
    ):
        assert said in failure.what
    assert "did not leave its outputs in /out" in failure.what
    assert (failure.code, failure.origin, failure.recoverable) == ("OutputUploadFailed", "user", True)


async def test_what_the_command_says_went_wrong_comes_before_anything_else(tmp_path: Path) -> None:
    write(tmp_path, _ERROR="no rows: ä\n")
    failure = await failing(tmp_path, {"x": INT})
    assert (str(failure), failure.code, failure.origin, failure.recoverable) == ("no rows: ä", SAID, "user", True)


async def test_an_empty_error_is_none_and_a_huge_one_is_cut(tmp_path: Path) -> None:
    write(tmp_path, _ERROR=" \n", x="1")
    assert await taken(tmp_path, {"x": INT})
    write(tmp_path, _ERROR="x" * (outputs.ERROR_BYTES + 5))
    assert len((await failing(tmp_path, {})).what) == outputs.ERROR_BYTES


@pytest.mark.parametrize("how", ["file", "folder", "inner", "parent", "error", "root", "loop", "dangling"])
async def test_links_that_lead_out_are_never_followed(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    write(secret, x="17", _ERROR="secret", f="secret")
    folder = tmp_path / "out"
    folder.mkdir()
    objects = Objects()
    types = {"x": FOLDER if how in ("folder", "inner") else FILE if how == "loop" else INT}
    match how:
        case "file":
            (folder / "x").symlink_to(secret / "x")
        case "folder":
            (folder / "x").symlink_to(secret)
        case "inner":
            (folder / "x").mkdir()
            (folder / "x" / "f").symlink_to("../../secret/f")
        case "parent":
            (folder / "x").symlink_to("..")
        case "error":
            (folder / "_ERROR").symlink_to(secret / "_ERROR")
        case "root":
            folder.rmdir()
            folder.symlink_to(secret)
        case "loop":
            (folder / "x").symlink_to("x")
        case "dangling":
            (folder / "x").symlink_to("/no/such/file")
    with pytest.raises(TaskFailure) as caught:
        await take_out(objects, raw(None, types), folder, PREFIX)
    assert "secret" not in caught.value.what
    assert caught.value.code == "OutputUploadFailed"
    assert [uri async for uri in objects.list(PREFIX)] == []


async def test_links_within_the_directory_are_fine(tmp_path: Path) -> None:
    write(tmp_path, real="5")
    (tmp_path / "x").symlink_to("real")
    assert (await taken(tmp_path, {"x": INT})).literals["x"] == literals.integer(5)


async def test_what_would_block_or_fill_the_memory_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "big").open("wb") as file:
        file.truncate(outputs.VALUE_BYTES + 1)
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "pipe")
    failure = await failing(tmp_path, {"pipe": FILE, "big": STR, "d": FOLDER})
    assert failure.what.count("is neither a file nor a directory") == 2
    assert f"the file has {outputs.VALUE_BYTES + 1} bytes, and a str at most" in failure.what
