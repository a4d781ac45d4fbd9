"""The prebuilt-container kind: template and executor, through the path of a container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alula import File, PrebuiltTask, Recoverable, TemplateExecutor, kwtypes, map_task, workflow
from alula.errors import ConfigError, ConversionError, PluginError
from alula.idl import LiteralMap, TaskTemplate, literals
from alula.sdk import resolver
from alula.sdk.local import current_run
from alula.sdk.prebuilt import run_template
from alula.sdk.serialize import SerializationSettings, serialize

seen: list[TaskTemplate] = []


class Multiply(TemplateExecutor):
    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        seen.append(template)
        custom = self.custom(template)
        return {"product": custom["factor"] * inputs["a"], "shown": f"{custom['name']} {inputs['text']}"}


class MultiplyTask(PrebuiltTask):
    task_type = "multiply"
    image = "example.org/multiply:1"
    executor = Multiply

    def __init__(self, name: str, factor: float, **keywords: Any) -> None:
        self.factor = factor
        super().__init__(name, kwtypes(a=int, text=(str, "x")), kwtypes(product=int, shown=str), **keywords)

    def custom(self) -> dict[str, Any]:
        return {"factor": self.factor, "name": "product of", "nested": {"list": [1, 2.5, True, None]}}

    def labels(self) -> dict[str, str]:
        return {"team": "numbers"}


class WriteFile(TemplateExecutor):
    tried = 0

    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        WriteFile.tried += 1
        if WriteFile.tried < inputs["failures"] + 1:
            raise Recoverable("not yet")
        path = Path(inputs["folder"]) / "out.txt"
        path.write_text("written")
        return File(str(path))


class WriteTask(PrebuiltTask):
    task_type = "write"
    executor = WriteFile


class Wrong(TemplateExecutor):
    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        return "text"


class WrongTask(PrebuiltTask):
    task_type = "wrong"
    executor = Wrong


triple = MultiplyTask("numbers.triple", 3)
write = WriteTask("files.write", kwtypes(folder=str, failures=int), kwtypes(made=File), retries=2)


def test_a_call_runs_the_executor_on_the_template_alone() -> None:
    seen.clear()
    assert triple(a=4, text="four") == (12, "product of four")
    assert triple(a=4) == (12, "product of x")
    [template, _] = seen
    assert template.type == "multiply"
    assert template.config["team"] == "numbers"
    assert Multiply.custom(template)["nested"] == {"list": [1, 2.5, True, None]}


def test_it_is_a_node_like_any_other() -> None:
    @workflow
    def wf(a: int) -> tuple[int, str]:
        first, shown = triple(a=a)
        again, _ = triple(a=first, text=shown)
        return again, shown

    assert wf(a=1) == (9, "product of x")


def test_retries_are_honoured_and_files_travel(tmp_path: Path) -> None:
    WriteFile.tried = 0
    made = write(folder=str(tmp_path), failures=2)
    assert Path(made).read_text() == "written"
    assert WriteFile.tried == 3
    WriteFile.tried = 0
    with pytest.raises(Recoverable):
        write(folder=str(tmp_path), failures=5)


def test_the_registered_template_runs_as_it_stands(tmp_path: Path) -> None:
    spec = serialize(triple, SerializationSettings(project="p", domain="d", version="v")).tasks["numbers.triple"]
    template = spec.template
    assert template.container.image == "example.org/multiply:1"
    given = LiteralMap(literals={"a": literals.integer(5), "text": literals.string("t")})
    made = run_template(template, given, current_run().place)
    assert made.literals["product"].scalar.primitive.integer == 15
    path = tmp_path / "template.pb"
    path.write_bytes(template.SerializeToString())
    arguments = list(template.container.args)
    location, (_, executor) = arguments[arguments.index("--resolver") + 1], arguments[-2:]
    loaded = resolver.load(location, [str(path), executor])
    assert loaded(a=5, text="t") == (15, "product of t")


def test_a_template_that_was_not_filled_in_is_refused() -> None:
    with pytest.raises(ConfigError, match="let the platform fill in"):
        resolver.load("alula.sdk.prebuilt.by_template", ["{{.taskTemplatePath}}", "x.Y"])


def test_an_executor_that_is_not_there_is_told_with_the_task() -> None:
    template = triple.template()
    given = LiteralMap(literals={"a": literals.integer(5), "text": literals.string("t")})
    for path in ("no.such:Thing", "alula.errors:Nothing", "alula.errors:AlulaError", "x"):
        with pytest.raises(PluginError, match=f"executor '{path}' of task 'numbers.triple'"):
            run_template(template, given, current_run().place, executor=path)


def test_a_missing_input_is_told() -> None:
    with pytest.raises(ConversionError, match="gets no value for 'a'"):
        run_template(triple.template(), LiteralMap(literals={"text": literals.string("t")}), current_run().place)


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        (kwtypes(a=int), "output 'a' of 'wrong': expected int, got str"),
        (kwtypes(a=int, b=int), "got 'text' for its outputs a, b"),
        ({}, r"got 'text' for its outputs \(none\)"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(outputs: dict[str, Any], why: str) -> None:
    task = WrongTask("test.wrong", outputs=outputs)
    with pytest.raises(ConversionError, match=why):
        task()


def test_it_can_be_mapped() -> None:
    class Half(PrebuiltTask):
        task_type = "half"
        executor = Halve

    half = Half("numbers.half", kwtypes(a=int), kwtypes(o0=float))
    assert map_task(half)(a=[1, 2]) == [0.5, 1.0]


class Halve(TemplateExecutor):
    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        return inputs["a"] / 2


@dataclass
class Row:
    x: int


def test_classes_that_only_the_author_knows_travel_as_they_are_stored() -> None:
    class Same(PrebuiltTask):
        task_type = "same"
        executor = GiveBack

    task = Same("rows.same", kwtypes(row=Row), kwtypes(o0=Row))
    assert task(row=Row(3)) == Row(3)


class GiveBack(TemplateExecutor):
    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        return inputs["row"]
