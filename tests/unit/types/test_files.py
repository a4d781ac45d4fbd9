"""The classes `File` and `Directory` as types and as values, without touching a file."""

# ruff: noqa: F821 - `File["csv"]` is how flytekit's users write it
# mypy: disable-error-code="name-defined"

from __future__ import annotations

import os
import subprocess
import sys
import typing
from pathlib import Path
from typing import Annotated, Any, Optional
from typing import Literal as OneOf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import UnsupportedType
from alula.idl import BlobType, LiteralType
from alula.types import default
from alula.types.directories import Directory, TensorboardLogs, TFRecordsDirectory
from alula.types.files import CSVFile, File, JoblibSerializedFile, PythonPickledFile

each_class = pytest.mark.parametrize("cls", [File, Directory])


def blob(format: str = "", *, multipart: bool = False) -> LiteralType:
    return LiteralType(blob=BlobType(format=format, dimensionality=int(multipart)))  # type: ignore[arg-type]


@each_class
@pytest.mark.parametrize("item", ["csv", ".csv", " csv ", "~csv", OneOf["csv"], Annotated[str, "csv"]])
def test_every_spelling_of_an_extension_is_the_same_class(cls: Any, item: Any) -> None:
    assert cls[item] is cls["csv"]
    assert cls[item].extension() == "csv"
    assert issubclass(cls[item], cls)


@each_class
def test_no_extension_is_the_class_itself(cls: Any) -> None:
    assert cls[""] is cls
    assert cls[str] is cls
    assert cls.extension() == ""


@each_class
def test_an_extension_may_have_dots_and_replaces_another(cls: Any) -> None:
    assert cls["tar.gz"].extension() == "tar.gz"
    assert cls["tar.gz"]["csv"] is cls["csv"]


def test_two_extensions_are_refused() -> None:
    with pytest.raises(UnsupportedType, match="one format"):
        File[OneOf["csv", "tsv"]]


def test_hints_written_as_text_are_understood() -> None:
    def task(a: "File['csv']", b: "Optional[Directory[OneOf['x']]]") -> "File": ...  # type: ignore[empty-body]  # noqa: UP037, UP045

    hints = typing.get_type_hints(task)
    assert hints == {"a": File["csv"], "b": Optional[Directory["x"]], "return": File}  # noqa: UP045


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (File, blob()),
        (File["csv"], blob("csv")),
        (CSVFile, blob("csv")),
        (JoblibSerializedFile, blob("joblib")),
        (PythonPickledFile, blob("python_pickle")),
        (Annotated[File["csv"], "a note"], blob("csv")),
        (os.PathLike, blob()),
        (Path, blob()),
        (Directory, blob(multipart=True)),
        (Directory["x"], blob("x", multipart=True)),
        (TensorboardLogs, blob("tensorboard", multipart=True)),
        (TFRecordsDirectory, blob("tfrecords_dir", multipart=True)),
    ],
)
def test_the_literal_type_carries_the_extension(t: Any, expected: LiteralType) -> None:
    assert default.literal_type(t) == expected


def test_a_blob_type_is_guessed_back() -> None:
    for t in (File, File["csv"], Directory, Directory["x"]):
        assert default.guess(default.literal_type(t)) is t


def test_the_tags_of_union_variants_are_flytekits() -> None:
    assert default.converter(File["csv"]).name == "FlyteFilePath"
    assert default.converter(Directory).name == "FlyteDirectory"


def test_a_value_is_certainly_a_file_only_if_it_is_one() -> None:
    matches = default.converter(File["csv"]).matches
    assert matches is not None
    assert [matches(value) for value in (File("x"), File["csv"]("x"), "x", Directory("x"))] == [
        True,
        True,
        False,
        False,
    ]


@given(st.text(min_size=1))
def test_a_path_is_kept_as_it_is(text: str) -> None:
    file = File(text)
    assert str(file) == file.source == text
    assert (file.uri is None) != ("://" in text)


def test_equality_looks_at_kind_source_destination_and_extension() -> None:
    assert File("a") == File("a") == "a"
    assert hash(File("a")) == hash(File("a"))
    assert File("a") != File("b")
    assert File("a") != File["csv"]("a")
    assert File("a") != File("a", remote_path="s3://b/k")
    assert File("a") != Directory("a")
    assert File("a") != 5


def test_a_file_made_of_a_file_is_the_same_file() -> None:
    assert File["csv"](File("s3://b/k")).uri == "s3://b/k"
    assert File(File("a")).uri is None


def test_families_of_files_and_tables_import_no_heavy_library() -> None:
    code = (
        "import sys, alula.types.files, alula.types.directories, alula.types.tabular, alula.types.jsonlines\n"
        "print([m for m in ('pandas', 'pyarrow', 'numpy', 'pydantic', 'obstore', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
