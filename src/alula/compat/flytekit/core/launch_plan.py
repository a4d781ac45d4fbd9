"""Launch plans as flytekit has them, each around one of Alula's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from alula.compat.adopt import adopted
from alula.compat.flytekit.core.interface import Interface, parameters_of, typed_interface
from alula.compat.flytekit.core.node import Mirror, mirrored
from alula.compat.flytekit.core.promise import call
from alula.compat.flytekit.models.core.workflow import NodeMetadata
from alula.compat.flytekit.models.interface import ParameterMap, TypedInterface
from alula.compat.flytekit.models.literals import LiteralMap
from alula.compat.model import message_of, model_of
from alula.compat.names import mirror
from alula.sdk.launch_plan import LaunchPlan as Ours
from alula.sdk.local import current_run
from alula.sdk.secrets import Identity, SecurityContext
from alula.types import maps


class LaunchPlan(Mirror):
    """A workflow as it is started. Make one with `LaunchPlan.get_or_create`."""

    CACHE: ClassVar[dict[str, LaunchPlan]] = {}
    """The plans of this process by name."""

    def __init__(self, ours: Ours) -> None:
        self._hold(ours)

    @classmethod
    def create(
        cls,
        name: str,
        workflow: Any,
        default_inputs: dict[str, Any] | None = None,
        fixed_inputs: dict[str, Any] | None = None,
        schedule: Any = None,
        notifications: Any = None,
        **settings: Any,
    ) -> LaunchPlan:
        """A plan under a name of its own. AssertionError: the name stands for a plan that differs."""
        given = {
            "default_inputs": default_inputs,
            "fixed_inputs": fixed_inputs,
            "schedule": schedule,
            "notifications": notifications,
            **settings,
        }
        role = given.pop("auth_role", None)
        if role is not None:
            if given.get("security_context") is not None:
                raise ValueError("Use of AuthRole is deprecated. You cannot specify both AuthRole and SecurityContext")
            given["security_context"] = SecurityContext(
                run_as=Identity(iam_role=role.assumable_iam_role, k8s_service_account=role.kubernetes_service_account)
            )
        kept = {key: _ours(value) for key, value in given.items() if value is not None}
        if schedule is not None and schedule.kickoff_time_input_arg not in workflow.python_interface.inputs:
            kept["schedule"] = replace(schedule, kickoff_time_input_arg=None)  # flytekit lets the platform find out
        with adopted():
            return cls._of(Ours.create(name, workflow.__alula_entity__, **kept))

    @classmethod
    def get_or_create(
        cls,
        workflow: Any,
        name: str | None = None,
        default_inputs: dict[str, Any] | None = None,
        fixed_inputs: dict[str, Any] | None = None,
        schedule: Any = None,
        notifications: Any = None,
        **settings: Any,
    ) -> LaunchPlan:
        """The plan of that name; without a name the workflow's default plan, which has no settings."""
        if name is not None:
            return cls.create(name, workflow, default_inputs, fixed_inputs, schedule, notifications, **settings)
        given = [default_inputs, fixed_inputs, schedule, notifications, *settings.values()]
        if any(value is not None for value in given):
            raise ValueError(
                "Only named launchplans can be created that have other properties. Drop the name if you want to create "
                "a default launchplan."
            )
        return cls.get_default_launch_plan(None, workflow)

    @classmethod
    def get_default_launch_plan(cls, ctx: Any, workflow: Any) -> LaunchPlan:
        with adopted():
            return cls._of(Ours.get_default_launch_plan(workflow.__alula_entity__))

    @classmethod
    def _of(cls, ours: Ours) -> LaunchPlan:
        known = mirrored(ours)
        made: LaunchPlan = known if isinstance(known, LaunchPlan) else cls(ours)
        cls.CACHE[made.name] = made
        return made

    def clone_with(self, name: str, **settings: Any) -> LaunchPlan:
        kept = {key: _ours(value) for key, value in settings.items() if value is not None}
        with adopted():
            return LaunchPlan(self._held.clone_with(name, **kept))

    @property
    def name(self) -> str:
        return str(self._held.name)

    @property
    def workflow(self) -> Any:
        return mirrored(self._held.workflow)

    @property
    def python_interface(self) -> Interface:
        theirs: Interface = self.workflow.python_interface
        return theirs.remove_inputs([*self._held.fixed_inputs])

    @property
    def interface(self) -> TypedInterface:
        return typed_interface(self._held.workflow.interface)

    @property
    def parameters(self) -> ParameterMap:
        return parameters_of(self._held.interface)

    @property
    def fixed_inputs(self) -> LiteralMap:
        return self._literals(self._held.settings.fixed_inputs)

    @property
    def raw_fixed_inputs(self) -> LiteralMap:
        return self.fixed_inputs

    @property
    def saved_inputs(self) -> dict[str, Any]:
        settings = self._held.settings
        return {**settings.default_inputs, **settings.fixed_inputs}

    @property
    def schedule(self) -> Any:
        given = self._held.schedule
        return None if given is None else model_of(given.to_message())

    @property
    def notifications(self) -> list[Any]:
        return [model_of(one.to_message()) for one in self._held.settings.notifications]

    @property
    def should_auto_activate(self) -> bool:
        return bool(self._held.settings.auto_activate)

    def __getattr__(self, name: str) -> Any:
        if name in _SETTINGS:
            return getattr(self._held.settings, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def construct_node_metadata(self) -> NodeMetadata:
        return NodeMetadata(self.workflow.short_name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            raise AssertionError("Only Keyword Arguments are supported for launch plan executions")
        return call(self._held, (), kwargs)

    def _literals(self, values: Any) -> LiteralMap:
        theirs, place = self._held.workflow.interface.inputs, current_run().place
        made = {name: maps.literal(value, theirs[name].converter, place) for name, value in values.items()}
        return LiteralMap.from_flyte_idl(message_of(LiteralMap(made)))

    def __repr__(self) -> str:
        return f"LaunchPlan({self.name})"


_SETTINGS = (
    "labels annotations raw_output_data_config max_parallelism security_context trigger overwrite_cache concurrency"
).split()


def _ours(value: Any) -> Any:
    """A setting as Alula takes it."""
    return message_of(value) if type(value).__name__ in ("RawOutputDataConfig", "ConcurrencyPolicy") else value


__getattr__, __dir__ = mirror(
    __name__, {"alula.compat.flytekit.core.reference": "ReferenceLaunchPlan reference_launch_plan LaunchPlanReference"}
)
