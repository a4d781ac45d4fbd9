"""Files and directories on their way through every kind of store."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Annotated, Any
from typing import Literal as OneOf

import pytest
from pydantic import BaseModel, ValidationError

from alula._kits import bridge
from alula.data.workspace import Workspace
from alula.errors import ConversionError, DataError, ObjectNotFound
from alula.idl import Literal, Struct
from alula.idl import literals as lits
from alula.types import Place
from alula.types.directories import Directory
from alula.types.files import File
from tests.integration.types.convert import read, round_trip, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "mine" / "a b.csv"
    made.parent.mkdir()
    made.write_text("x\n1\n")
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "one.txt").write_text("1")
    (root / "sub" / "two.txt").write_text("2")
    (root / "sub" / "deep" / "three.txt").write_text("3")
    return root


@pytest.mark.parametrize("form", [File, File["csv"], str, Path], ids=lambda form: form.__name__)
def test_a_local_file_is_uploaded_under_its_name(at: Place, path: Path, form: Any) -> None:
    lit = write(File["csv"], form(str(path)), at)
    assert lit == lits.blob(f"{at.prefix}/blob0/a b.csv", format="csv")
    assert bridge.run(at.objects.read(lit.scalar.blob.uri)) == b"x\n1\n"


def test_a_file_is_fetched_when_it_is_opened_and_not_before(at: Place, path: Path) -> None:
    got = round_trip(File, File(path), at)
    assert not got.downloaded
    assert Path(got).read_text() == "x\n1\n"
    assert got.downloaded
    assert os.path.basename(got.path) == "a b.csv"
    assert got.uri == got.remote_source == str(got)


def test_changing_what_one_reader_got_changes_nothing_for_the_next(at: Place, path: Path) -> None:
    lit = write(File, File(path), at)
    path.write_text("changed by its writer")
    first = read(File, lit, at)
    with open(first, "a") as out:
        out.write("changed by a reader")
    assert Path(read(File, lit, at)).read_text() == "x\n1\n"


def test_what_is_stored_already_travels_as_its_uri(at: Place, path: Path) -> None:
    lit = write(File, File(path), at)
    assert write(File, read(File, lit, at), at) == lit
    opened = read(File, lit, at)
    opened.download()
    assert write(File, opened, at) == lit


def test_a_uri_is_not_looked_at(here: Place) -> None:
    for value in ("s3://bucket/key.csv", File("https://example.com/key.csv")):
        assert write(File, value, here).scalar.blob.uri == str(value)


def test_a_stream_reads_without_a_copy(at: Place, path: Path) -> None:
    got = round_trip(File, File(path), at)
    with got.open() as text:
        assert list(text) == ["x\n", "1\n"]
    with got.open("rb") as raw:
        raw.seek(2)
        assert raw.read() == b"1\n"
    assert not got.downloaded


def test_a_stream_writes_into_the_store(at: Place) -> None:
    made = File.new_remote_file("out.txt")
    with made.open("w", encoding="cp1250") as text:
        text.write("zażółć")
    assert bridge.run(at.objects.read(made.uri or "")).decode("cp1250") == "zażółć"
    assert write(File, made, at).scalar.blob.uri == made.uri
    assert Path(made).read_text("cp1250") == "zażółć"


def test_a_stream_that_fails_writes_nothing(at: Place) -> None:
    made = File.new_remote_file("out.txt")

    def fail() -> None:
        with made.open("w") as text:
            text.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not bridge.run(at.objects.exists(made.uri or ""))


def test_what_is_stored_cannot_be_changed_in_place(at: Place, path: Path) -> None:
    got = round_trip(File, File(path), at)
    for mode in ("a", "r+"):
        with pytest.raises(DataError, match="private copy"), got.open(mode):
            pass


def test_a_chosen_destination_is_used(at: Place, path: Path) -> None:
    target = f"{at.prefix}/chosen/name.csv"
    assert write(File, File(path, remote_path=target), at).scalar.blob.uri == target
    assert bridge.run(at.objects.read(target)) == b"x\n1\n"


def test_remote_path_false_hands_the_path_on(here: Place, path: Path) -> None:
    got = round_trip(File, File(path, remote_path=False), here)
    assert got.uri == str(path)


def test_metadata_travels(at: Place, path: Path) -> None:
    lit = write(File, File(path, metadata={"k": "v"}), at)
    assert dict(lit.metadata) == {"k": "v"}
    assert read(File, lit, at).metadata == {"k": "v"}


def test_a_missing_file_is_named(here: Place, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"there is no file '.*nowhere\.csv'"):
        write(File, File(tmp_path / "nowhere.csv"), here)
    with pytest.raises(ConversionError, match="declare Directory"):
        write(File, tmp_path, here)


def test_a_stored_file_that_is_gone_is_named(at: Place, path: Path) -> None:
    lit = write(File, File(path), at)
    bridge.run(at.objects.delete(lit.scalar.blob.uri))
    with pytest.raises((ConversionError, ObjectNotFound), match=r"a b\.csv"):
        read(File, lit, at).download()


def test_a_directory_is_no_file(here: Place, tree: Path, path: Path) -> None:
    lit = write(Directory, tree, here)
    with pytest.raises(ConversionError, match="expected a file"):
        read(File, lit, here)
    with pytest.raises(ConversionError, match="expected a directory"):
        read(Directory, write(File, path, here), here)
    with pytest.raises(ConversionError, match=r"expected alula\.Directory, got alula\.File"):
        write(Directory, File(path), here)


def test_a_pathlib_path_is_uploaded_and_fetched(at: Place, path: Path) -> None:
    lit = write(Path, path, at)
    assert lit.scalar.blob.uri.startswith(at.prefix)
    got = read(Path, lit, at)
    assert isinstance(got, Path)
    assert got != path
    assert got.read_text() == "x\n1\n"


def test_an_os_pathlike_travels_as_the_path_itself(here: Place, path: Path) -> None:
    lit = write(os.PathLike, path, here)
    assert lit == lits.blob(str(path))
    assert isinstance(read(os.PathLike, lit, here), File)


@pytest.mark.parametrize("kind", ["binary", "generic"])
def test_an_attribute_of_a_dataclass_is_a_file(here: Place, path: Path, kind: str) -> None:
    import msgpack

    uri = write(File, path, here).scalar.blob.uri
    struct = Struct()
    struct.update({"path": uri})
    lit = lits.binary(msgpack.packb({"path": uri})) if kind == "binary" else lits.generic(struct)
    assert Path(read(File, lit, here)).read_text() == "x\n1\n"
    with pytest.raises(ConversionError, match=r"expected \{'path': uri\}"):
        read(File, lits.binary(msgpack.packb({"uri": uri})), here)


def test_a_file_survives_pickle_and_keeps_its_class(at: Place, path: Path) -> None:
    got = round_trip(File["csv"], File(path), at)
    again = pickle.loads(pickle.dumps(got))
    assert again == got
    assert type(again) is File["csv"]
    assert Path(again).read_text() == "x\n1\n"


def test_new_files_are_written_in_the_workspace(workspace: Workspace) -> None:
    one, other = File.new("sub/out.txt"), File.new("sub/out.txt")
    assert one.path != other.path
    with one.open("w") as out:
        out.write("1")
    assert Path(one).read_text() == "1"
    assert Path(one).is_relative_to(workspace.directory)
    with pytest.raises(DataError, match="is absolute"):
        File.new("/etc/out.txt")


def test_a_directory_is_uploaded_whole_and_fetched_when_used(at: Place, tree: Path) -> None:
    lit = write(Directory["txt"], tree, at)
    assert lit == lits.blob(f"{at.prefix}/blob0", format="txt", multipart=True)
    got = read(Directory["txt"], lit, at)
    assert not got.downloaded
    assert sorted(os.listdir(got)) == ["one.txt", "sub"]
    assert (got / "sub" / "deep" / "three.txt").read_text() == "3"
    assert write(Directory, got, at).scalar.blob.uri == lit.scalar.blob.uri


def test_a_directory_is_listed_without_fetching(at: Place, tree: Path) -> None:
    for directory in (round_trip(Directory, tree, at), Directory(tree)):
        listed = directory.listdir()
        assert [(type(item), os.path.basename(item.source)) for item in listed] == [
            (File, "one.txt"),
            (Directory, "sub"),
        ]
        assert [name for _, name in directory.crawl()] == ["one.txt", "sub/deep/three.txt", "sub/two.txt"]
        assert [name for _, name in directory.crawl(maxdepth=1)] == ["one.txt"]
        root = str(directory)
        assert list(directory.walk()) == [
            (root, ["sub"], ["one.txt"]),
            (f"{root}/sub", ["deep"], ["two.txt"]),
            (f"{root}/sub/deep", [], ["three.txt"]),
        ]
        assert Path(listed[0]).read_text() == "1"
        [deep, two] = listed[1].listdir()
        assert isinstance(deep, Directory)
        assert Path(two).read_text() == "2"


def test_files_are_streamed_into_a_new_directory(at: Place) -> None:
    made = Directory.new_remote("images")
    for name in ("a", "b/c"):
        with made.new_file(name).open("wb") as out:
            out.write(name.encode())
    with made.new_dir("d").new_file("e").open("w") as out:
        out.write("d/e")
    assert [name for _, name in round_trip(Directory, made, at).crawl()] == ["a", "b/c", "d/e"]


def test_a_local_directory_is_made_to_be_filled(at: Place) -> None:
    made = Directory.new("out")
    (made / "x").write_text("1")
    with made.new_file("y").open("w") as out:
        out.write("2")
    assert sorted(name for _, name in round_trip(Directory, made, at).crawl()) == ["x", "y"]


def test_a_missing_directory_is_named(here: Place, tmp_path: Path, path: Path) -> None:
    with pytest.raises(ConversionError, match=r"there is no directory '.*nowhere'"):
        write(Directory, Directory(tmp_path / "nowhere"), here)
    with pytest.raises(ConversionError, match="declare File"):
        write(Directory, str(path), here)


def test_lists_and_annotations_of_files_work(at: Place, path: Path) -> None:
    got = round_trip(list[Annotated[File, "a note"]], [path, str(path)], at)
    assert [Path(file).read_text() for file in got] == ["x\n1\n"] * 2


class Model(BaseModel):
    source: File
    folder: Directory[OneOf["txt"]] | None = None


def test_a_pydantic_model_holds_files(at: Place, path: Path, tree: Path) -> None:
    lit = write(Model, Model(source=File(path), folder=Directory(tree)), at)
    assert isinstance(lit, Literal)
    got = read(Model, lit, at)
    assert Path(got.source).read_text() == "x\n1\n"
    assert got.folder is not None
    assert next(name for _, name in got.folder.crawl()) == "one.txt"


def test_a_pydantic_model_dumps_files_as_paths(path: Path) -> None:
    model = Model.model_validate({"source": str(path)})
    assert json.loads(model.model_dump_json()) == {"source": {"path": str(path)}, "folder": None}
    assert Model.model_validate_json(model.model_dump_json()) == model
    for wrong in (5, {"uri": "x"}, Directory("x")):
        with pytest.raises(ValidationError, match="no FlyteFile"):
            Model.model_validate({"source": wrong})
