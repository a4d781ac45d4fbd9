"""flytekit's models of launch plans."""

from __future__ import annotations

from alula.compat.model import Model
from alula.compat.names import mirror
from alula.idl import admin


class LaunchPlanMetadata(Model, idl=admin.LaunchPlanMetadata, fields="schedule notifications launch_conditions"): ...


class LaunchPlanSpec(
    Model,
    idl=admin.LaunchPlanSpec,
    fields="workflow_id entity_metadata default_inputs fixed_inputs labels annotations auth_role "
    "raw_output_data_config max_parallelism security_context overwrite_cache concurrency_policy",
): ...


class LaunchPlanClosure(Model, idl=admin.LaunchPlanClosure, fields="state expected_inputs expected_outputs"): ...


class LaunchPlan(Model, idl=admin.LaunchPlan, fields="id spec closure"): ...


__getattr__, __dir__ = mirror(__name__, {})
