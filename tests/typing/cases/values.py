"""Files, directories, data sets and pickles in annotations."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, assert_type

from alula import JSON, Directory, File, HashMethod, Pickle, StructuredDataset, TaskError, kwtypes, task


class Model:
    weight = 1.0


@task
def write() -> File[Literal["csv"]]:
    file = File[Literal["csv"]].new("out.csv")
    assert_type(file, File[Literal["csv"]])
    with file.open("w") as out:
        out.write("a,b")
    return file


@task
def read(file: File[Literal["csv"]]) -> str:
    assert_type(file.path, str)
    assert_type(file.metadata, dict[str, str] | None)
    return Path(file).read_text()


@task
def any_file(file: File) -> Directory:
    return Directory("out")


@task
def tables(folder: Directory[Literal["parquet"]]) -> StructuredDataset:
    return StructuredDataset(uri=folder.path)


@task
def annotated(
    table: Annotated[StructuredDataset, kwtypes(a=int, b=str)], name: Annotated[str, HashMethod(str.lower)]
) -> int:
    return len(name)


@task
def pickled(model: Pickle[Model]) -> Annotated[Model, Pickle]:
    assert_type(model, Model)
    return model


@task
def lines() -> Iterator[JSON]:
    yield {"a": 1}


@task
def clean_up(err: TaskError | None = None) -> None:
    if err is not None:
        assert_type(err.message, str)


assert_type(write(), File[Literal["csv"]])
assert_type(pickled(model=Model()).weight, float)
assert_type(any_file(file=File("a.txt")), Directory[str])

read(file=write())
read(file=File("out.csv"))
read(file="out.csv")  # refused: arg-type, reportArgumentType
read(file=Directory("out"))  # refused: arg-type, reportArgumentType
read(file=File[Literal["json"]]("out.json"))  # refused: arg-type, reportArgumentType
pickled(model=1)  # refused: arg-type, reportArgumentType
File("a.txt").path = "b.txt"  # refused: misc, reportAttributeAccessIssue
