"""The command lines of flytekit's containers, as they are run here."""

from __future__ import annotations

import pytest

from alula.errors import ConfigError
from alula.idl import Blob, Literal, LiteralMap, Primitive, Scalar
from alula.runtime import commands

EXECUTE = [
    "pyflyte-execute",
    "--inputs",
    "{{.input}}",
    "--output-prefix",
    "{{ .OutputPrefix }}",
    "--prev-checkpoint",
    "{{$prevCheckpointPrefix}}",
    "--resolver",
    "flytekit.core.python_auto_container.default_task_resolver",
    "--",
    "task-module",
    "m",
    "task-name",
    "t",
]
FAST = ["pyflyte-fast-execute", "--additional-distribution", "s3://b/fast1.tar.gz", "--dest-dir", "/root", "--"]


def test_a_command_is_its_program_and_what_follows() -> None:
    found = commands.read(EXECUTE)
    assert (found.program, found.words, found.mapped) == ("pyflyte-execute", tuple(EXECUTE[1:]), False)
    assert commands.read(["/usr/bin/pyflyte-map-execute", *EXECUTE[1:]]).mapped


def test_the_task_is_told_where_its_bundle_came_from_and_nothing_is_unpacked_again() -> None:
    found = commands.read([*FAST, *EXECUTE])
    at = found.words.index("--resolver")
    told = ("--dynamic-addl-distro", "s3://b/fast1.tar.gz", "--dynamic-dest-dir", "/root")
    assert found.words[at - 4 : at] == told
    assert "--additional-distribution" not in found.words
    assert tuple(word for word in found.words if word not in told) == tuple(EXECUTE[1:])


@pytest.mark.parametrize("options", [["--additional-distribution=s3://b/x.tar.gz", "--dest-dir=."], []])
def test_options_may_be_written_either_way(options: list[str]) -> None:
    found = commands.read(["pyflyte-fast-execute", *options, "--", *EXECUTE])
    assert found.program == "pyflyte-execute"
    assert ("--dynamic-addl-distro" in found.words) == bool(options)


@pytest.mark.parametrize("words", [[], ["python", "x.py"], ["alula-execute"], ["pyflyte-fast-execute", "--", "bash"]])
def test_what_flytekit_did_not_write_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="no command of flytekit"):
        commands.read(words)


def test_templates_are_filled_whatever_their_case_and_unknown_ones_stay() -> None:
    places = {"input": "/x/inputs.pb", "outputprefix": "/x", "prevcheckpointprefix": '""'}
    filled = commands.fill([*EXECUTE[1:], "{{.nothing}}"], places, b"")
    assert filled[:6] == ["--inputs", "/x/inputs.pb", "--output-prefix", "/x", "--prev-checkpoint", '""']
    assert filled[-1] == "{{.nothing}}"


def test_what_was_filled_in_is_not_looked_at_again() -> None:
    text = Literal(scalar=Scalar(primitive=Primitive(string_value="{{.input}}")))
    inputs = LiteralMap(literals={"text": text}).SerializeToString()
    assert commands.fill(["{{.inputs.text}}"], {"input": "/x"}, inputs) == ["{{.input}}"]


def test_inputs_are_numbers_texts_and_uris() -> None:
    values = {
        "n": Literal(scalar=Scalar(primitive=Primitive(integer=3))),
        "file": Literal(scalar=Scalar(blob=Blob(uri="s3://b/f"))),
        "none": Literal(),
    }
    inputs = LiteralMap(literals=values).SerializeToString()
    words = ["n={{.inputs.n}}", "{{ .Inputs.file }}", "{{.inputs.none}}", "{{.inputs.missing}}"]
    assert commands.fill(words, {}, inputs) == ["n=3", "s3://b/f", "{{.inputs.none}}", "{{.inputs.missing}}"]


def test_a_task_with_settings_for_registration_compiles_others() -> None:
    assert commands.compiles({"_F_SS_C": "H4s..."})
    assert not commands.compiles({"COLOUR": "blue"})
