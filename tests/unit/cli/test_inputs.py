"""Flags of inputs, and input literals out of flags and documents."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from alula import File, task
from alula.cli import inputs
from alula.data.stores import Objects
from alula.errors import ConversionError
from alula.idl import LiteralMap, literals
from alula.sdk.graph import Entity
from alula.sdk.local import kept_of, place_at

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
PLACE = place_at("memory://raw", Objects())


@dataclass
class Config:
    rounds: int
    rate: float = 0.5


@task
def train(
    learning_rate: float,
    rounds: int = 3,
    verbose: bool = True,
    config: Config | None = None,
    since: date = date(2024, 1, 1),
    names: list[str] | None = None,
) -> float:
    """Trains.

    Args:
        learning_rate: How fast
            it learns.
        verbose: Say more.
    """
    return learning_rate


@task
def keys(m: dict[int, str], wait: timedelta, f: File) -> None: ...


@task
def nothing() -> None: ...


def made(given: dict[str, str | bool], document: dict[str, Any] | None = None, entity: Entity = train) -> LiteralMap:
    return inputs.literals(entity, given, document or {}, PLACE, NOW)


def values(entity: Entity, given: LiteralMap) -> dict[str, Any]:
    converters = {name: entity.interface.inputs[name].converter for name in given.literals}
    return {name: kept_of(given.literals[name], converter, PLACE) for name, converter in converters.items()}


def help_of(name: str) -> tuple[str, str]:
    ctx = click.Context(click.Command("train"))
    (record,) = [one.get_help_record(ctx) for one in inputs.options(train) if one.name == f"{inputs.PREFIX}{name}"]
    return record


def test_a_flag_may_be_spelled_with_dashes_or_underscores() -> None:
    (first, *_) = inputs.options(train)
    assert first.opts == ["--learning-rate", "--learning_rate"]
    assert inputs.flags("a") == ["--a"]
    assert inputs.flags("_private") == ["--private", "--_private"]


def test_help_says_what_the_docstring_says_and_whether_it_is_required() -> None:
    assert help_of("learning_rate") == ("--learning-rate FLOAT", "How fast it learns.  [required]")


def test_help_shows_both_flags_of_a_boolean() -> None:
    assert help_of("verbose") == ("--verbose / --no-verbose", "Say more.  [default: True]")


def test_help_names_the_python_type_where_the_shape_says_little() -> None:
    assert help_of("names") == ("--names JSON", "[list[str] | None; default: None]")


def test_flags_become_literals_and_defaults_are_left_out() -> None:
    found = made({"learning_rate": "0.1", "verbose": False})
    assert found == LiteralMap(literals={"learning_rate": literals.floating(0.1), "verbose": literals.boolean(False)})


def test_a_flag_counts_before_the_document() -> None:
    found = made({"rounds": "7"}, {"rounds": 1, "learning-rate": 1})
    assert values(train, found) == {"rounds": 7, "learning_rate": 1.0}


def test_structures_have_the_declared_type() -> None:
    found = made({"learning_rate": "1", "config": '{"rounds": 2}', "since": "today", "names": '["a"]'})
    assert values(train, found) == {
        "learning_rate": 1.0,
        "config": Config(2),
        "since": date(2024, 2, 29),
        "names": ["a"],
    }


def test_keys_that_are_no_text_are_read_from_json(tmp_path: Path) -> None:
    (tmp_path / "f.txt").touch()
    found = made({"m": '{"1": "a"}', "wait": "1h", "f": str(tmp_path / "f.txt")}, entity=keys)
    assert values(keys, found)["m"] == {1: "a"}
    assert found.literals["wait"] == literals.duration(timedelta(hours=1))
    assert found.literals["f"].scalar.blob.uri == str(tmp_path / "f.txt")  # where it is, not a copy


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_floats_that_json_has_no_numbers_for_are_words(tmp_path: Path, word: str) -> None:
    document = tmp_path / "inputs.json"
    document.write_text(f'{{"learning_rate": "{word}", "config": {{"rounds": 1, "rate": "{word}"}}}}')
    found = values(train, made({}, inputs.read_document(str(document))))
    assert str(found["learning_rate"]) == str(found["config"].rate) == str(float(word))
    with pytest.raises(inputs.InputFaults, match="'rate': 'nan'"):
        made({}, {"learning_rate": 1.0, "config": {"rounds": 1, "rate": "nan"}})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(inputs.InputFaults) as caught:
        made({"rounds": "many", "config": '{"rate": 1}'}, {"speed": 1})
    assert [fault.flag for fault in caught.value.faults] == ["'speed'", "--learning-rate", "--rounds", "--config"]
    message = caught.value.format_message()
    assert "4 inputs are wrong" in message
    assert "--learning-rate is missing (FLOAT)" in message
    assert "'many' is no integer" in message
    assert caught.value.exit_code == 2


def test_one_fault_is_one_line() -> None:
    with pytest.raises(inputs.InputFaults) as caught:
        made({})
    assert caught.value.format_message() == "--learning-rate is missing (FLOAT)"


def test_an_entity_without_inputs_says_so() -> None:
    with pytest.raises(inputs.InputFaults, match="there are no inputs"):
        made({}, {"a": 1}, entity=nothing)


def test_a_document_is_read_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("a: 1\n")
    assert inputs.read_document(str(path)) == {"a": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 2}'))
    assert inputs.read_document("-") == {"a": 2}


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "must be an object"), ("{", "no JSON"), ("\udcff", "cannot be read")]
)
def test_a_document_that_is_no_object_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConversionError, match=said):
        inputs.read_document(str(path))
    with pytest.raises(ConversionError, match="cannot be read"):
        inputs.read_document(str(tmp_path / "gone.json"))
