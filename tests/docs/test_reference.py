"""The reference is complete, and what it says of types is so."""

from __future__ import annotations

import dataclasses
import enum
import os
import pathlib
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import click
import duckdb
import numpy
import pandas
import pandera.pandas
import pandera.typing
import PIL.Image
import polars
import pyarrow
import pydantic
import pytest
import sklearn.base
import torch
from google.protobuf.struct_pb2 import Struct

import alula
from alula import JSON, Directory, File, Pickle, StructuredDataset, TaskError, errors
from alula.cli.main import COMMANDS, app
from alula.config import Config
from alula.idl import BlobType, LiteralType, SimpleType
from alula.sdk.options import TaskKeywords
from alula.types import default

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
TABLE_ROW = re.compile(r"^\| `(.*?)` \| `(.*?)` \|", re.MULTILINE)
VARIABLE = re.compile(r'"((?:ALULA|FLYTE|AWS|AZURE|STORAGE_EMULATOR)_[A-Z0-9_]*[A-Z0-9])"')


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: float


class Model(pydantic.BaseModel):
    x: int


class Schema(pandera.pandas.DataFrameModel):
    x: pandera.typing.Series[int]


class Custom: ...


KINDS = (date, datetime, timedelta, Color, Point, Model, Schema, Custom, Directory, File, Iterator, StructuredDataset)
LIBRARIES = (duckdb, numpy, os, pandas, pandera, pathlib, PIL, polars, pyarrow, sklearn, torch)
DECLARED: dict[str, Any] = {
    **{one.__name__: one for one in (*KINDS, *LIBRARIES, Pickle, Struct, TaskError)},
    "JSON": JSON,
    "Literal": Literal,
    "Pickle": Pickle,
}
"""What the names in the table stand for."""


def rows() -> list[tuple[str, str]]:
    text = (REFERENCE / "types.md").read_text().partition("## Annotations")[0]
    return [(declared.replace("\\|", "|"), wire) for declared, wire in TABLE_ROW.findall(text)]


def shown(lt: LiteralType) -> str:
    """A literal type as the table writes it."""
    match lt.WhichOneof("type"):
        case "simple":
            return SimpleType.Name(lt.simple)
        case "collection_type":
            return f"collection({shown(lt.collection_type)})"
        case "map_value_type":
            return f"map({shown(lt.map_value_type)})"
        case "union_type":
            return f"union({', '.join(map(shown, lt.union_type.variants))})"
        case "enum_type":
            return f"enum({', '.join(lt.enum_type.values)})"
        case "blob":
            parts = [BlobType.BlobDimensionality.Name(lt.blob.dimensionality), lt.blob.format]
            return f"blob({', '.join(filter(None, parts))})"
        case other:
            return str(other).removesuffix("_type")


@pytest.mark.parametrize(("declared", "wire"), rows(), ids=[row[0] for row in rows()])
def test_a_type_is_on_the_wire_what_the_table_says(declared: str, wire: str) -> None:
    assert shown(default.literal_type(eval(declared, DECLARED))) == wire


def test_the_table_of_types_is_read() -> None:
    assert len(rows()) > 35


@pytest.mark.parametrize("name", alula.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert f"`{name}" in (REFERENCE / "authoring.md").read_text()


@pytest.mark.parametrize("name", TaskKeywords.__annotations__)
def test_every_setting_of_a_task_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "authoring.md").read_text()


@pytest.mark.parametrize("name", [one for one, value in vars(errors).items() if isinstance(value, type)])
def test_every_error_is_in_the_reference(name: str) -> None:
    if name not in ("Sequence", "Self"):
        assert f"`{name}`" in (REFERENCE / "errors.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_its_options_are_in_the_reference(name: str) -> None:
    text = (REFERENCE / "cli.md").read_text()
    command = app.get_command(click.Context(app), name)
    assert command is not None
    assert f"`alula {name}" in text
    for option in command.params:
        for flag in option.opts if isinstance(option, click.Option) else ():
            assert f"`{flag}" in text, flag


def test_every_environment_variable_is_in_the_reference() -> None:
    text = (REFERENCE / "environment.md").read_text()
    sources = [path for path in (ROOT / "src" / "alula").rglob("*.py") if "compat" not in path.parts]
    used = {name for path in sources for name in VARIABLE.findall(path.read_text())}
    assert sorted(name for name in used if f"`{name}`" not in text) == []


def test_every_setting_is_in_the_reference() -> None:
    text = (REFERENCE / "config.md").read_text()
    config = Config()
    keys = []
    for field in dataclasses.fields(config):
        section = getattr(config, field.name)
        inner = dataclasses.fields(section) if dataclasses.is_dataclass(section) else ()
        keys += [f"`[{field.name}] {one.name}`" for one in inner] or [f"`{field.name}`"]
    assert [key for key in keys if key not in text] == []
