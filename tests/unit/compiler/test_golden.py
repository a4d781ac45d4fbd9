"""Everything that the real flytekit compiles is a workflow without faults."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from alula.compiler.compile import compile_workflow
from alula.errors import CompileError
from alula.idl import (
    DynamicJobSpec,
    Identifier,
    LiteralMap,
    LiteralType,
    ParameterMap,
    TaskTemplate,
    TypedInterface,
    WorkflowTemplate,
)
from alula.idl.ids import Key, key

GOLDEN = Path(__file__).parents[2] / "integration" / "flytekit" / "golden"
KINDS = {path: json.loads(path.read_text()).get("kind", "") for path in sorted(GOLDEN.glob("*.json"))}
TASKS = [ParseDict(json.loads(p.read_text())["template"], TaskTemplate()) for p in sorted(GOLDEN.glob("tasks/*.json"))]


def files(*kinds: str) -> list[Path]:
    return [path for path, kind in KINDS.items() if kind in kinds]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def own_faults(*args: Any, **more: Any) -> list[str]:
    """Faults, but for the entities that live `there`: of a reference only the server knows the interface."""
    try:
        compile_workflow(*args, **more)
    except CompileError as exc:
        return [fault for fault in exc.faults if not re.search(r"there\.\w+ \(version \w+\) is not known$", fault)]
    return []


def interfaces_of(
    plans: Mapping[str, Any], workflows: Mapping[Key, WorkflowTemplate]
) -> tuple[dict[Key, TypedInterface], dict[Key, list[str]]]:
    """What launch plans take and give, and which of their inputs have a default."""
    interfaces, defaults = {}, {}
    for plan in plans.values():
        at = key(ParseDict(plan["id"], Identifier()))
        parameters = ParseDict(plan["spec"].get("default_inputs", {}), ParameterMap()).parameters
        fixed = ParseDict(plan["spec"].get("fixed_inputs", {}), LiteralMap()).literals
        workflow = workflows[key(ParseDict(plan["spec"]["workflow_id"], Identifier()))]
        interface = TypedInterface(outputs=workflow.interface.outputs)
        for name, parameter in parameters.items():
            if name not in fixed:
                interface.inputs.variables[name].CopyFrom(parameter.var)
        interfaces[at] = interface
        defaults[at] = [name for name, parameter in parameters.items() if not parameter.required]
    return interfaces, defaults


def every_plan() -> tuple[dict[Key, TypedInterface], dict[Key, list[str]]]:
    interfaces, defaults = {}, {}
    for path in files("workflow"):
        spec = read(path)
        templates = [ParseDict(w["template"], WorkflowTemplate()) for w in spec["workflows"].values()]
        more, more_defaults = interfaces_of(spec["launch_plans"], {key(t.id): t for t in templates})
        interfaces |= more
        defaults |= more_defaults
    return interfaces, defaults


def test_there_are_golden_files() -> None:
    assert len(files("workflow", "launch_plan")) >= 12
    assert files("DynamicJobSpec")


@pytest.mark.parametrize("path", files("workflow", "launch_plan"), ids=lambda path: path.stem)
def test_what_flytekit_compiles_has_no_faults(path: Path) -> None:
    spec = read(path)
    templates = {name: ParseDict(w["template"], WorkflowTemplate()) for name, w in spec["workflows"].items()}
    subs = [ParseDict(t, WorkflowTemplate()) for w in spec["workflows"].values() for t in w.get("sub_workflows", [])]
    plans, defaults = interfaces_of(spec["launch_plans"], {key(t.id): t for t in [*templates.values(), *subs]})
    for template in templates.values():
        assert own_faults(template, [*subs, *templates.values()], TASKS, plans, defaults=defaults) == []


@pytest.mark.parametrize("path", files("DynamicJobSpec"), ids=lambda path: path.stem)
def test_what_a_dynamic_task_of_flytekit_makes_has_no_faults(path: Path) -> None:
    spec = read(path)
    job = ParseDict(spec["result"], DynamicJobSpec())
    made_by = {task.id.name: task for task in [*job.tasks, *TASKS]}.get(spec["name"])
    template = WorkflowTemplate(nodes=job.nodes, outputs=job.outputs)
    for output in job.outputs:
        declared = made_by.interface.outputs.variables[output.var].type if made_by else LiteralType()
        template.interface.outputs.variables[output.var].type.CopyFrom(declared)
    plans, defaults = every_plan()
    closure = compile_workflow(template, job.subworkflows, [*job.tasks, *TASKS], plans, defaults=defaults)
    assert len(closure.primary.template.nodes) == len(job.nodes) + 2
