"""`ContainerTask`: what it declares, and what it says when it is called here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula import ContainerTask, File, Resources, kwtypes, workflow
from alula.errors import RemoteError, SignatureError
from alula.idl import DataLoadingConfig, IOStrategy
from alula.sdk.container import MetadataFormat, render
from alula.sdk.serialize import SerializationSettings, serialize
from alula.testing import task_mock

count = ContainerTask(
    name="tools.count",
    image="example.org/tool:1",
    command=["count", "--min={{.inputs.least}}", "/in/source"],
    inputs=kwtypes(source=File, least=int),
    outputs=kwtypes(lines=int),
    input_data_dir="/in",
    output_data_dir="/out",
    metadata_format=MetadataFormat.YAML,
    io_strategy=IOStrategy(download_mode=IOStrategy.DOWNLOAD_STREAM),
    requests=Resources(cpu="1"),
    environment={"A": "b"},
)


def test_its_template_is_that_of_a_raw_container() -> None:
    spec = serialize(count, SerializationSettings(env={"STAGE": "test"})).tasks["tools.count"]
    made = spec.template
    assert made.type == "raw-container"
    assert list(made.container.command) == ["count", "--min={{.inputs.least}}", "/in/source"]
    assert {pair.key: pair.value for pair in made.container.env} == {"STAGE": "test", "A": "b"}
    loading = made.container.data_config
    assert (loading.enabled, loading.input_path, loading.output_path) == (True, "/in", "/out")
    assert loading.format == DataLoadingConfig.YAML
    assert loading.io_strategy.download_mode == IOStrategy.DOWNLOAD_STREAM
    assert made.container.resources.requests[0].value == "1"


def test_a_call_asks_the_engine_that_is_named_and_says_when_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(RemoteError, match=r"none\.sock"):
        count(source=File(__file__), least=1)


def test_a_mock_stands_in_for_it_in_a_workflow() -> None:
    @workflow
    def wf(source: File) -> int:
        return count(source=source, least=2)  # type: ignore[no-any-return]

    with task_mock(count) as fake:
        fake.return_value = 7
        assert wf(source=File(__file__)) == 7


@given(st.text(), st.integers())
def test_an_argument_stays_one_word_whatever_its_value_is(text: str, number: int) -> None:
    rendered = render(
        ["--x={{ .inputs.x }}", "{{.inputs.n}}-{{.inputs.x}}", "{{.outputPrefix}}"], {"x": text, "n": number}
    )
    assert rendered == [f"--x={text}", f"{number}-{text}", "{{.outputPrefix}}"]


def test_the_command_line_can_be_looked_at() -> None:
    assert count.argv({"least": 3, "source": None}) == ["count", "--min=3", "/in/source"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"command": ["x", "{{.inputs.most}}"]}, "asks for the input 'most', which is not declared"),
        ({"input_data_dir": "in"}, "input_data_dir is 'in', and must be absolute"),
        ({"input_data_dir": None}, "never sees its input 'source'"),
        ({"output_data_dir": None}, "has outputs, and no directory to take them from"),
    ],
)
def test_what_could_not_work_is_refused_when_it_is_declared(change: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {
        "command": ["x", "{{.inputs.least}}"],
        "inputs": kwtypes(source=File, least=int),
        "outputs": kwtypes(lines=int),
        "input_data_dir": "/in",
        "output_data_dir": "/out",
    }
    with pytest.raises(SignatureError, match=why):
        ContainerTask("t", "image:1", **{**given, **change})
