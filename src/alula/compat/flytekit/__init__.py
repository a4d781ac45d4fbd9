"""flytekit's top level: each name comes from the module here that mirrors its home in flytekit."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from alula._kits.lazy import installed, load_point
from alula.compat.names import mirror
from alula.errors import PluginError

__version__ = "1.16.31"
"""The flytekit whose names and behaviour this layer follows."""

_CORE = "alula.compat.flytekit.core."
_MODELS = "alula.compat.flytekit.models."
_TYPES = "alula.compat.flytekit.types."


def new_context() -> AbstractContextManager[Any]:
    """A context of flytekit's in which more contexts can be put."""
    manager = import_module(_CORE + "context_manager").FlyteContextManager
    made: AbstractContextManager[Any] = manager.with_context(manager.current_context().new_builder())
    return made


def load_implicit_plugins() -> None:
    """Import the plugins of flytekit that are installed (entry points of the group `flytekit.plugins`).

    One that cannot be imported is named in the log: the program may never use it.
    """
    for point in installed("flytekit.plugins"):
        try:
            load_point(point)
        except PluginError as exc:
            logging.getLogger("flytekit").warning("%s", exc.what)


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.current": "current_context",
        "alula.sdk.caching": "Cache CachePolicy VersionParameters",
        "alula.sdk.checkpoint": "Checkpoint",
        "alula.sdk.docs": "Description Documentation SourceCode",
        "alula.sdk.pod": "PodTemplate",
        "alula.sdk.resources": "Resources",
        "alula.sdk.schedules": "OnSchedule",
        "alula.sdk.secrets": "Secret SecurityContext",
        "alula.sdk.image": "ImageSpec",
        "alula.sdk.workflow": "WorkflowFailurePolicy",
        "alula.types.transformer": "HashMethod",
        "alula.compat.flytekit.configuration": "Config",
        "alula.compat.flytekit.deck": "Deck",
        "alula.compat.flytekit.lazy_import.lazy_module": "lazy_module",
        "alula.compat.flytekit.loggers": "logger LOGGING_RICH_FMT_ENV_VAR",
        _CORE + "array_node_map_task": "map_task",
        _CORE + "artifact": "Artifact",
        _CORE + "base_sql_task": "SQLTask",
        _CORE + "base_task": "kwtypes TaskMetadata",
        _CORE + "condition": "conditional",
        _CORE + "container_task": "ContainerTask",
        _CORE + "context_manager": "ExecutionParameters FlyteContext FlyteContextManager",
        _CORE + "dynamic_workflow_task": "dynamic",
        _CORE + "environment": "Environment",
        _CORE + "gate": "approve sleep wait_for_input",
        _CORE + "launch_plan": "LaunchPlan",
        _CORE + "notification": "Email PagerDuty Slack",
        _CORE + "options": "Options",
        _CORE + "python_function_task": "PythonFunctionTask PythonInstanceTask",
        _CORE + "reference": "get_reference_entity reference_launch_plan reference_task reference_workflow "
        "LaunchPlanReference TaskReference WorkflowReference",
        _CORE + "schedule": "CronSchedule FixedRate",
        _CORE + "task": "eager task",
        _CORE + "type_engine": "BatchSize",
        _CORE + "workflow": "ImperativeWorkflow Workflow=ImperativeWorkflow workflow",
        _MODELS + "common": "Annotations AuthRole Labels",
        _MODELS + "concurrency": "ConcurrencyLimitBehavior ConcurrencyPolicy",
        _MODELS + "core.execution": "WorkflowExecutionPhase",
        _MODELS + "core.types": "BlobType",
        _MODELS + "literals": "Blob BlobMetadata Literal Scalar",
        _MODELS + "types": "LiteralType StructuredDatasetType",
        _TYPES + "directory": "FlyteDirectory directory=",
        _TYPES + "file": "FlyteFile file=",
        _TYPES + "iterator": "iterator=",
        _TYPES + "structured.structured_dataset": "StructuredDataset StructuredDatasetFormat "
        "StructuredDatasetTransformerEngine",
    },
)
