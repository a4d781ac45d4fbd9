"""What real flytekit says. Run by an interpreter that has flytekit and not Alula:

    python flytekit_side.py specs OUT_DIR        compile the reference workflows, one JSON file per entity
    python flytekit_side.py write OUT_DIR        convert the value table, one JSON file per row
    python flytekit_side.py read IN_DIR OUT_DIR  read the literals of another world

No test imports this module; it imports flytekit.
"""

import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

os.environ["ALULA_ORACLE_WORLD"] = "flytekit"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from canonical import canonical  # noqa: E402
from flyteidl.core import literals_pb2  # noqa: E402
from flytekit.configuration import Image, ImageConfig, SerializationSettings  # noqa: E402
from flytekit.core.context_manager import ExecutionState, FlyteContextManager  # noqa: E402
from flytekit.core.data_persistence import FileAccessProvider  # noqa: E402
from flytekit.core.launch_plan import LaunchPlan  # noqa: E402
from flytekit.core.type_engine import TypeEngine  # noqa: E402
from flytekit.core.workflow import WorkflowBase  # noqa: E402
from flytekit.models import launch_plan as launch_plan_models  # noqa: E402
from flytekit.models import task as task_models  # noqa: E402
from flytekit.models.admin import workflow as workflow_models  # noqa: E402
from flytekit.models.literals import Literal  # noqa: E402
from flytekit.tools.translator import get_serializable  # noqa: E402
from google.protobuf.json_format import MessageToDict  # noqa: E402

MODULES = ("reference_workflows", "extra_workflows", "settings_workflows", "corner_workflows", "container_tasks")
SETTINGS = SerializationSettings(
    project="proj",
    domain="dev",
    version="v1",
    image_config=ImageConfig(default_image=Image(name="default", fqn="example.org/default", tag="1")),
    env={"STAGE": "test"},
)


def as_json(message):
    return in_order(MessageToDict(message, preserving_proto_field_name=True))


def in_order(value):
    """With upstream node ids sorted: flytekit takes those of branches from a set of objects, in any order."""
    if isinstance(value, dict):
        return {k: sorted(v) if k == "upstream_node_ids" else in_order(v) for k, v in value.items()}
    return [in_order(v) for v in value] if isinstance(value, list) else value


def spec_of(entity):
    """Everything that registering `entity` would send: the entity's own spec, and those of what it reaches."""
    cache = OrderedDict()
    get_serializable(cache, SETTINGS, entity)
    found = {"tasks": {}, "workflows": {}, "launch_plans": {}}
    for model in cache.values():
        if isinstance(model, task_models.TaskSpec):
            found["tasks"][model.template.id.name] = as_json(model.to_flyte_idl())
        elif isinstance(model, workflow_models.WorkflowSpec):
            found["workflows"][model.template.id.name] = as_json(model.to_flyte_idl())
        elif isinstance(model, launch_plan_models.LaunchPlan):
            found["launch_plans"][model.id.name] = as_json(model.to_flyte_idl())
    kinds = {LaunchPlan: "launch_plan", WorkflowBase: "workflow"}
    kind = next((name for base, name in kinds.items() if isinstance(entity, base)), "task")
    return {"name": entity.name, "kind": kind, **found}


def dynamic_spec_of(entity, inputs):
    """What the dynamic task writes at run time: a DynamicJobSpec, or literals when it has no nodes."""
    ctx = FlyteContextManager.current_context()
    state = ctx.execution_state.with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(
        ctx.with_serialization_settings(SETTINGS).with_execution_state(state)
    ) as running:
        hints = entity.python_interface.inputs
        literals = TypeEngine.dict_to_literal_map(running, inputs, hints)
        result = entity.dispatch_execute(running, literals)
    return {
        "name": entity.name,
        "kind": type(result).__name__,
        "inputs": as_json(literals.to_flyte_idl()),
        "result": as_json(result.to_flyte_idl()),
    }


def attempt(act, *args):
    """The answer, or flytekit's refusal."""
    try:
        return act(*args)
    except Exception as exc:  # noqa: BLE001 - whatever flytekit raises is its answer
        return {"refused": type(exc).__name__, "message": str(exc)}


def write(path, content):
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def specs(out, modules=MODULES):
    """Writes one file per entity, and one per task that any of them reaches."""
    tasks = {}
    (out / "tasks").mkdir(parents=True, exist_ok=True)
    for module_name in modules:
        module = __import__(module_name)
        for name, entity in module.ENTITIES.items():
            spec = attempt(spec_of, entity)
            for task, content in spec.get("tasks", {}).items():
                if tasks.setdefault(task, content) != content:
                    raise SystemExit(f"task {task} has two specs; give one a name of its own")
            write(out / f"{name}.json", {**spec, "tasks": sorted(spec.get("tasks", []))})
        for name, (entity, inputs) in module.DYNAMIC.items():
            write(out / f"{name}.json", attempt(dynamic_spec_of, entity, inputs))
    for task, content in tasks.items():
        write(out / "tasks" / f"{task}.json", content)


def file_access(out):
    return FileAccessProvider(local_sandbox_dir=str(out / "sandbox"), raw_output_prefix=str(out / "blobs"))


def as_bytes(message):
    return message.SerializeToString(deterministic=True).hex()


def write_row(row, ctx, scratch):
    """What flytekit makes of a row: its type, its literal, the value it reads back, and the type it would guess."""
    found = {}
    stages = iter(("type", "literal", "value", "guess"))
    try:
        stage = next(stages)
        declared = row.type()
        literal_type = TypeEngine.to_literal_type(declared)
        found["type"] = as_bytes(literal_type.to_flyte_idl())
        found["type_json"] = as_json(literal_type.to_flyte_idl())
        stage = next(stages)
        literal = TypeEngine.to_literal(ctx, row.value(scratch), declared, literal_type)
        found["literal"] = as_bytes(literal.to_flyte_idl())
        found["literal_json"] = as_json(literal.to_flyte_idl())
        stage = next(stages)
        found["value"] = canonical(TypeEngine.to_python_value(ctx, literal, declared))
        stage = next(stages)
        guess = TypeEngine.guess_python_type(literal_type)
        found["guess"] = str(guess)
        found["guess_type"] = as_bytes(TypeEngine.to_literal_type(guess).to_flyte_idl())
    except Exception as exc:  # noqa: BLE001 - whatever flytekit raises is its answer
        found["refused"] = {"stage": stage, "error": type(exc).__name__, "message": str(exc)[:500]}
    return found


def read_row(row, ctx, given):
    """What flytekit reads from a literal that Alula wrote, as the row's declared type."""
    literal = Literal.from_flyte_idl(literals_pb2.Literal.FromString(bytes.fromhex(given["literal"])))
    try:
        return {"value": canonical(TypeEngine.to_python_value(ctx, literal, row.type()))}
    except Exception as exc:  # noqa: BLE001 - whatever flytekit raises is its answer
        return {"refused": {"stage": "value", "error": type(exc).__name__, "message": str(exc)[:500]}}


def values(out):
    from value_table import rows

    out.mkdir(parents=True, exist_ok=True)
    with FlyteContextManager.with_context(
        FlyteContextManager.current_context().with_file_access(file_access(out))
    ) as ctx:
        for row in rows():
            scratch = out / "scratch" / row.name
            scratch.mkdir(parents=True, exist_ok=True)
            write(out / f"{row.name}.json", write_row(row, ctx, scratch))


def read(given, out):
    from value_table import rows

    out.mkdir(parents=True, exist_ok=True)
    with FlyteContextManager.with_context(
        FlyteContextManager.current_context().with_file_access(file_access(out))
    ) as ctx:
        for row in rows():
            source = given / f"{row.name}.json"
            if source.exists():
                write(out / f"{row.name}.json", read_row(row, ctx, json.loads(source.read_text())))


if __name__ == "__main__":
    command, *directories = sys.argv[1:]
    {"specs": specs, "write": values, "read": read}[command](*map(Path, directories))
