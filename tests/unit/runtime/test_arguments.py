"""Command lines of containers, ours and flytekit's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConfigError
from alula.runtime.arguments import parse

PLACES = ["--inputs", "s3://b/in.pb", "--output-prefix", "s3://b/out", "--raw-output-data-prefix", "s3://b/raw"]
CHECKPOINTS = ["--checkpoint-path", "s3://b/cp", "--prev-checkpoint", "s3://b/before"]
BY_NAME = ["--resolver", "alula.sdk.resolver.default", "--", "task-module", "m", "task-name", "n"]
FLYTEKIT = "flytekit.core.python_auto_container.default_task_resolver"


def test_a_whole_command_line_is_read() -> None:
    found = parse(["alula-execute", *PLACES, *CHECKPOINTS, *BY_NAME])
    assert (found.inputs, found.output_prefix) == ("s3://b/in.pb", "s3://b/out")
    assert found.raw_output_data_prefix == "s3://b/raw"
    assert (found.checkpoint_path, found.prev_checkpoint) == ("s3://b/cp", "s3://b/before")
    assert found.resolver == "alula.sdk.resolver.default"
    assert found.loader_args == ("task-module", "m", "task-name", "n")
    assert not found.mapped
    assert not found.bundle


def test_flytekits_command_line_is_read_like_ours() -> None:
    words = [*PLACES, *CHECKPOINTS, "--resolver", FLYTEKIT, "--", "task-module", "m", "task-name", "n"]
    assert parse(["pyflyte-execute", *words]) == parse(["alula-execute", *words])


def test_a_whole_command_line_of_another_program_may_follow_ours() -> None:
    words = [*PLACES, *BY_NAME]
    assert parse(["alula-execute", "pyflyte-execute", *words]) == parse(["alula-execute", *words])
    assert parse(["alula-execute", "pyflyte-map-execute", *words]).mapped


def test_templates_that_nobody_filled_in_are_absent() -> None:
    words = [*PLACES[:4], "--raw-output-data-prefix", "{{.rawOutputDataPrefix}}"]
    words += ["--checkpoint-path", "{{.checkpointOutputPrefix}}", "--prev-checkpoint", "{{.prevCheckpointPrefix}}"]
    found = parse(["alula-execute", *words, *BY_NAME])
    assert found.raw_output_data_prefix == "s3://b/out/raw"
    assert (found.checkpoint_path, found.prev_checkpoint) == ("", "")


def test_an_empty_previous_checkpoint_is_absent() -> None:
    found = parse(["alula-execute", *PLACES, "--checkpoint-path", "s3://b/cp", "--prev-checkpoint", "", *BY_NAME])
    assert found.prev_checkpoint == ""


def test_the_words_of_a_map_keep_an_empty_list_of_bound_inputs() -> None:
    words = ["vars", "", "resolver", FLYTEKIT, "task-module", "m", "task-name", "n"]
    resolver = "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver"
    found = parse(["pyflyte-map-execute", *PLACES, "--max-concurrency", "3", "--resolver", resolver, "--", *words])
    assert found.mapped
    assert found.loader_args == tuple(words)


@pytest.mark.parametrize("separator", [["--"], []])
@pytest.mark.parametrize("program", ["pyflyte-execute", "alula-execute", "/usr/local/bin/pyflyte-execute"])
def test_a_fast_command_holds_another(program: str, separator: list[str]) -> None:
    fast = ["pyflyte-fast-execute", "--additional-distribution", "s3://b/code.tar.gz", "--dest-dir", "/code"]
    found = parse([*fast, *separator, program, *PLACES, *BY_NAME])
    assert (found.bundle, found.destination) == ("s3://b/code.tar.gz", "/code")
    assert found.loader_args == ("task-module", "m", "task-name", "n")
    assert not found.mapped


def test_a_fast_command_may_hold_that_of_a_map() -> None:
    fast = ["alula-fast-execute", "--additional-distribution", "s3://b/code.tar.gz", "--dest-dir", "{{ .dest_dir }}"]
    found = parse([*fast, "--", "alula-map-execute", *PLACES, *BY_NAME])
    assert found.mapped
    assert found.bundle == "s3://b/code.tar.gz"
    assert found.destination == ""


def test_a_dynamic_task_is_told_of_its_bundle() -> None:
    dynamic = ["--dynamic-addl-distro", "s3://b/code.tar.gz", "--dynamic-dest-dir", "/code"]
    found = parse(["pyflyte-execute", *PLACES, *dynamic, *BY_NAME])
    assert (found.bundle, found.destination) == ("s3://b/code.tar.gz", "/code")


def test_local_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = parse(["alula-execute", "--inputs", "in.pb", "--output-prefix", "out", *BY_NAME])
    assert (found.inputs, found.output_prefix) == (f"{tmp_path}/in.pb", f"{tmp_path}/out")
    assert found.raw_output_data_prefix == f"{tmp_path}/out/raw"


def test_values_may_follow_an_equals_sign() -> None:
    found = parse(["alula-execute", "--inputs=s3://b/a=b", *PLACES[2:], *BY_NAME])
    assert found.inputs == "s3://b/a=b"


def test_trailing_slashes_of_prefixes_do_not_count() -> None:
    words = ["--inputs", "i", "--output-prefix", "s3://b/out/", "--raw-output-data-prefix", "s3://b/raw//"]
    found = parse(["alula-execute", *words, *BY_NAME])
    assert (found.output_prefix, found.raw_output_data_prefix) == ("s3://b/out", "s3://b/raw")


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="--inputs, --output-prefix, --resolver is missing"):
        parse(["alula-execute", "--inputs", "{{.input}}"])


def test_an_unknown_option_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="--colour is unknown") as caught:
        parse(["alula-execute", *PLACES, "--colour", "red", *BY_NAME])
    assert "--output-prefix" in caught.value.fix


def test_an_option_at_the_end_needs_its_value() -> None:
    with pytest.raises(ConfigError, match="--resolver has no value"):
        parse(["alula-execute", *PLACES, "--resolver"])


@given(st.lists(st.text()))
def test_words_for_the_resolver_arrive_as_they_are(words: list[str]) -> None:
    found = parse(["alula-execute", *PLACES, "--resolver", "r", "--", *words])
    assert found.loader_args == tuple(words)
