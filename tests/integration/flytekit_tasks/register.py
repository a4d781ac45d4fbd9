"""What `pyflyte register` sends, as files. Run by an interpreter that has flytekit and not Alula:

    python register.py MODULE BUNDLE VERSION OUT_DIR

BUNDLE is where the code is fetched from, or empty. No test imports this module; it imports flytekit.
"""

import sys
from collections import OrderedDict
from importlib import import_module
from pathlib import Path

from flytekit.configuration import FastSerializationSettings, Image, ImageConfig, SerializationSettings
from flytekit.models import launch_plan as launch_plan_models
from flytekit.models import task as task_models
from flytekit.models.admin import workflow as workflow_models
from flytekit.tools.translator import get_serializable

KINDS = {
    task_models.TaskSpec: "task",
    workflow_models.WorkflowSpec: "workflow",
    launch_plan_models.LaunchPlan: "launch_plan",
}


def main(module, bundle, version, out):
    sys.path.insert(0, str(Path(__file__).parent / "programs"))
    settings = SerializationSettings(
        project="p",
        domain="d",
        version=version,
        image_config=ImageConfig(default_image=Image(name="default", fqn="example.org/default", tag="1")),
        fast_serialization_settings=FastSerializationSettings(
            enabled=bool(bundle), destination_dir="/root", distribution_location=bundle or None
        ),
    )
    cache = OrderedDict()
    for entity in import_module(module).ENTITIES:
        get_serializable(cache, settings, entity)
    for number, model in enumerate(cache.values()):
        kind = next((name for cls, name in KINDS.items() if isinstance(model, cls)), None)
        if kind:
            Path(out, f"{number:03}.{kind}").write_bytes(model.to_flyte_idl().SerializeToString(deterministic=True))


main(*sys.argv[1:])
