"""What Alula makes of the value table: the counterpart of `flytekit_side.py`, in this process."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canonical import canonical
from value_table import Row

from alula.data.stores import Objects
from alula.idl import Literal, LiteralType
from alula.types import Converter, Place, default


@dataclass(frozen=True)
class Made:
    """A row as Alula converts it. What comes after a refusal is None."""

    type: LiteralType | None = None
    literal: Literal | None = None
    value: Any = None
    refused: Exception | None = None
    """An `AlulaError`; anything else is a crash, and fails the test of this row alone."""


def place(directory: Path) -> Place:
    numbers = itertools.count()
    return Place(Objects(), str(directory), default, lambda: f"blob{next(numbers)}")


def make(row: Row, directory: Path) -> Made:
    """Convert the row's value, and back, as far as it goes."""
    directory.mkdir(parents=True)
    found: dict[str, Any] = {}
    at = place(directory / "blobs")
    try:
        converter = default.converter(row.type())
        found["type"] = converter.literal_type
        found["literal"] = asyncio.run(call(converter.to_literal, row.value(directory), at))
        found["value"] = read(converter, found["literal"], at)
    except Exception as exc:  # noqa: BLE001 - kept, and judged by the test of the row
        return Made(**found, refused=exc)
    return Made(**found)


def read(converter: Converter, literal: Literal, at: Place) -> Any:
    return canonical(asyncio.run(call(converter.to_python, literal, at)))


async def call(convert: Any, value: Any, at: Place) -> Any:
    made = convert(value, at)
    return await made if inspect.isawaitable(made) else made
