"""Every value of the table through flytekit and through Alula: the same types, the same literals, both ways readable.

A row of `value_table` that differs on purpose says why, and then the difference is what is asserted: a reason that no
longer holds fails its test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alula_side import Made, make, place, read
from comparable import comparable, comparable_type, without_words
from judge import Flytekit
from value_table import Row, rows

from alula.errors import AlulaError
from alula.idl import Literal, LiteralType
from alula.types import default

ROWS = {row.name: row for row in rows()}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    home = tmp_path_factory.mktemp("alula")
    return {name: make(row, home / name) for name, row in ROWS.items()}


@pytest.fixture(scope="session")
def ours_read_by_flytekit(
    ours: dict[str, Made], flytekit: Flytekit, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    given, out = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("read")
    for name, made in ours.items():
        if made.literal is not None:
            (given / f"{name}.json").write_text(f'{{"literal": "{made.literal.SerializeToString().hex()}"}}')
    return flytekit.answers("read", given, out)


def test_the_table_is_large_enough() -> None:
    assert len(ROWS) >= 60
    assert len(ROWS) == len(rows())


@each_row
def test_refusals_are_the_ones_the_table_names(row: Row, ours: dict[str, Made], theirs: dict[str, Any]) -> None:
    refused = theirs[row.name].get("refused", {})
    assert bool(row.refused_by_flytekit) == (refused.get("stage") in ("type", "literal")), refused
    assert bool(row.unread_by_itself) == (refused.get("stage") == "value"), refused
    made = ours[row.name]
    assert made.refused is None or isinstance(made.refused, AlulaError), made.refused
    assert bool(row.refused_by_alula) == (made.literal is None), made.refused


@each_row
def test_the_literal_type_is_flytekits(row: Row, ours: dict[str, Made], theirs: dict[str, Any]) -> None:
    made, given = ours[row.name].type, theirs[row.name].get("type")
    if made is None or given is None:
        assert row.refused_by_alula or row.refused_by_flytekit
        return
    judge(comparable_type(made), comparable_type(type_of(given)), row.type_differs)


@each_row
def test_the_literal_is_flytekits(row: Row, ours: dict[str, Made], theirs: dict[str, Any]) -> None:
    made, given = ours[row.name].literal, theirs[row.name].get("literal")
    if made is None or given is None:
        assert row.refused_by_alula or row.refused_by_flytekit
        return
    judge(comparable(made), comparable(literal_of(given)), row.literal_differs)


@each_row
def test_alula_reads_back_what_it_wrote(row: Row, ours: dict[str, Made], theirs: dict[str, Any]) -> None:
    made = ours[row.name]
    if made.literal is None:
        assert row.refused_by_alula
        return
    assert made.refused is None
    if "value" in theirs[row.name]:
        assert made.value == theirs[row.name]["value"]
    else:
        assert row.refused_by_flytekit or row.unread_by_itself


@each_row
@pytest.mark.parametrize("packed_as", ["msgpack", "struct"])
def test_alula_reads_what_flytekit_wrote(row: Row, packed_as: str, tmp_path: Path, request: Any) -> None:
    """Dataclasses and models travelled as structs before flytekit had msgpack, and still can."""
    given = request.getfixturevalue({"msgpack": "theirs", "struct": "theirs_before"}[packed_as])[row.name]
    if "literal" not in given or row.refused_by_alula:
        assert row.refused_by_flytekit or row.refused_by_alula
        return
    converter, literal = default.converter(row.type()), literal_of(given["literal"])
    if row.unread_by_alula:
        with pytest.raises(AlulaError):
            read(converter, literal, place(tmp_path))
        return
    value = read(converter, literal, place(tmp_path))
    assert value == given["value"] if "value" in given else row.unread_by_itself


@each_row
def test_flytekit_reads_what_alula_wrote(
    row: Row, theirs: dict[str, Any], ours: dict[str, Made], ours_read_by_flytekit: dict[str, Any]
) -> None:
    if ours[row.name].literal is None:
        assert row.refused_by_alula
    elif row.unread_by_flytekit or row.refused_by_flytekit:
        assert "refused" in ours_read_by_flytekit[row.name], "it does read it: drop the reason"
    else:
        assert ours_read_by_flytekit[row.name] == {"value": theirs[row.name]["value"]}


@each_row
def test_alula_guesses_the_type_that_flytekit_guesses(row: Row, theirs: dict[str, Any]) -> None:
    given = theirs[row.name]
    if "type" not in given:
        assert row.refused_by_flytekit
    elif row.no_guess:
        with pytest.raises(AlulaError):
            default.guess(type_of(given["type"]))
    else:
        guessed = default.literal_type(default.guess(type_of(given["type"])))
        expected = type_of(given.get("guess_type", given["type"]))
        assert without_words(guessed) == without_words(expected)


def judge(ours: Any, theirs: Any, differs: str) -> None:
    """They are equal, or they are not for the reason given."""
    if differs:
        assert ours != theirs, f"they are equal; drop the reason: {differs}"
    else:
        assert ours == theirs


def type_of(hexed: str) -> LiteralType:
    return LiteralType.FromString(bytes.fromhex(hexed))


def literal_of(hexed: str) -> Literal:
    return Literal.FromString(bytes.fromhex(hexed))
