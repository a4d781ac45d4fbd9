"""Launch plans: a workflow with defaults, fixed inputs, a schedule, and settings of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from alula.errors import AlulaError, CallError, SignatureError
from alula.sdk.docs import Annotations, Labels
from alula.sdk.graph import Entity, Node, current_trace
from alula.sdk.local import Kept, LocalRun, keep
from alula.sdk.notify import Notification
from alula.sdk.schedules import CronSchedule, FixedRate, OnSchedule
from alula.sdk.secrets import SecurityContext
from alula.sdk.signature import Input, Interface, caller
from alula.sdk.workflow import BaseWorkflow

if TYPE_CHECKING:
    from alula.idl.admin import ConcurrencyPolicy, RawOutputDataConfig


class PlanKeywords(TypedDict, total=False):
    """The keywords of a launch plan; each is a field of `PlanSettings`."""

    default_inputs: Mapping[str, Any] | None
    fixed_inputs: Mapping[str, Any] | None
    schedule: CronSchedule | FixedRate | None
    trigger: OnSchedule | None
    notifications: Sequence[Notification] | None
    labels: Labels | None
    annotations: Annotations | None
    raw_output_data_config: RawOutputDataConfig | None
    max_parallelism: int | None
    security_context: SecurityContext | None
    overwrite_cache: bool | None
    auto_activate: bool
    concurrency: ConcurrencyPolicy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """What makes one launch plan differ from another of the same workflow."""

    default_inputs: Mapping[str, Any] = field(default_factory=dict)
    """Values for inputs that a caller leaves out; they count before the workflow's own defaults."""
    fixed_inputs: Mapping[str, Any] = field(default_factory=dict)
    """Values that no caller can change."""
    schedule: CronSchedule | FixedRate | None = None
    trigger: OnSchedule | None = None
    notifications: Sequence[Notification] = ()
    labels: Labels | None = None
    annotations: Annotations | None = None
    raw_output_data_config: RawOutputDataConfig | None = None
    """Where blobs of its executions go."""
    max_parallelism: int | None = None
    """How many task nodes of one execution run at a time."""
    security_context: SecurityContext | None = None
    overwrite_cache: bool | None = None
    auto_activate: bool = False
    """Active as soon as it is registered."""
    concurrency: ConcurrencyPolicy | None = None
    """How many executions may run at a time, and what becomes of one too many."""


class LaunchPlan(Entity):
    """A workflow as it is started: by a schedule, by hand, by its name, or as a node of another workflow.

    Make one with `LaunchPlan.get_or_create(workflow, name=...)`.
    """

    def __init__(self, name: str, workflow: BaseWorkflow, settings: PlanSettings) -> None:
        self.name, self.workflow, self.settings = name, workflow, settings
        self.where = caller()
        self._check()
        self.settings = replace(
            settings,
            default_inputs=_snapshot(workflow, settings.default_inputs),
            fixed_inputs=_snapshot(workflow, settings.fixed_inputs),
        )
        self.interface = self._interface()

    @staticmethod
    def create(name: str, workflow: BaseWorkflow, **keywords: Unpack[PlanKeywords]) -> LaunchPlan:
        """A plan under a name of its own.

        Args:
            keywords: Each a field of `PlanSettings`.

        Raises:
            CallError: the name stands for another plan, or an input does not fit the workflow.
        """
        return plans.add(LaunchPlan(name, workflow, _settings(keywords)))

    @staticmethod
    def get_or_create(workflow: BaseWorkflow, name: str | None = None, **keywords: Unpack[PlanKeywords]) -> LaunchPlan:
        """The plan of that name; without a name the workflow's default plan, which has no settings.

        Raises:
            CallError: settings without a name, a name that stands for another plan, or inputs that do not fit.
        """
        if name is not None:
            return LaunchPlan.create(name, workflow, **keywords)
        given = [key for key, value in keywords.items() if value is not None]
        if given:
            raise CallError(
                f"the default launch plan of '{workflow.name}' is given {', '.join(given)}",
                where=caller(),
                fix=f'a plan with settings of its own needs a name: name="{workflow.short_name}_plan"',
            )
        return LaunchPlan.get_default_launch_plan(workflow)

    @staticmethod
    def get_default_launch_plan(workflow: BaseWorkflow) -> LaunchPlan:
        """The plan that bears the workflow's name; every workflow is registered with it."""
        known = plans.get(workflow.name)
        if known is not None and known.workflow is workflow:
            return known
        options = workflow.default_options
        settings = PlanSettings()
        if options is not None:
            settings = PlanSettings(labels=options.labels, annotations=options.annotations)
        return plans.add(LaunchPlan(workflow.name, workflow, settings))

    def clone_with(self, name: str, **keywords: Unpack[PlanKeywords]) -> LaunchPlan:
        """The same plan under another name, with some settings replaced. It is not put under its name."""
        changes = _settings(keywords)
        return LaunchPlan(name, self.workflow, replace(self.settings, **{k: getattr(changes, k) for k in keywords}))

    @property
    def default_inputs(self) -> Mapping[str, Any]:
        return {k: one.default for k, one in self.interface.inputs.items() if not one.required}

    @property
    def fixed_inputs(self) -> Mapping[str, Any]:
        return self.settings.fixed_inputs

    @property
    def schedule(self) -> CronSchedule | FixedRate | None:
        trigger = self.settings.trigger
        return self.settings.schedule or (trigger.schedule if trigger is not None else None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        fixed = [repr(key) for key in kwargs if key in self.fixed_inputs]
        if fixed:
            raise CallError(
                f"call of launch plan '{self.name}': input {', '.join(fixed)} is fixed and cannot be passed",
                where=caller(),
                fix=f"leave it out, or make a plan without it (this one is made at {self.where})",
            )
        if current_trace() is not None:
            by_position = list(self.interface.inputs)[: len(args)]
            left_out = {k: v for k, v in self.settings.default_inputs.items() if k not in by_position}
            kwargs = {k: v for k, v in left_out.items() if k in self.interface.inputs} | kwargs
        return super().__call__(*args, **kwargs)

    def run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.workflow.compile()  # faults of the workflow come before those of the call
        return super().run_here(args, kwargs)

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        theirs = self.workflow.interface.inputs
        fixed = {key: keep(value, theirs[key].converter, run.place) for key, value in self.fixed_inputs.items()}
        return self.workflow.perform({**inputs, **fixed}, run, node)

    def _check(self) -> None:
        given_workflow: Any = self.workflow
        if not self.name or not isinstance(given_workflow, Entity):
            of = f"'{self.name}' is of {given_workflow!r:.80}, which is no workflow" if self.name else "has no name"
            raise CallError(f"launch plan {of}", where=self.where, fix='such as LaunchPlan.create("nightly", workflow)')
        theirs = self.workflow.interface
        defaults, fixed = self.settings.default_inputs, self.settings.fixed_inputs
        faults: list[str] = []
        for kind, values in (("default", defaults), ("fixed", fixed)):
            for key, value in values.items():
                fault = _fault(theirs.inputs.get(key), value)
                if fault:
                    faults.append(f"{kind} input '{key}' {fault}")
        kickoff = self.schedule.kickoff_time_input_arg if self.schedule is not None else None
        if kickoff and kickoff not in theirs.inputs:
            faults.append(f"the schedule passes the time of the start as '{kickoff}', and there is no such input")
        if faults:
            listed = ", ".join(theirs.inputs) or "none"
            raise CallError(
                f"launch plan '{self.name}' of workflow '{self.workflow.name}': " + "; ".join(faults),
                where=self.where,
                fix=f"the inputs of the workflow are: {listed}",
            )

    def _interface(self) -> Interface:
        theirs, defaults = self.workflow.interface, self.settings.default_inputs
        inputs = {
            key: Input(key, one.type, one.converter, defaults.get(key, one.default))
            for key, one in theirs.inputs.items()
            if key not in self.settings.fixed_inputs
        }
        return Interface(inputs, theirs.outputs, theirs.tuple_type, theirs.as_tuple, theirs.source)

    def __repr__(self) -> str:
        return f"<launch plan {self.name} of {self.workflow.name}>"


class Plans:
    """The launch plans of this process by name, since a name stands for one plan only."""

    def __init__(self) -> None:
        self._by_name: dict[str, LaunchPlan] = {}

    def get(self, name: str) -> LaunchPlan | None:
        return self._by_name.get(name)

    def add(self, plan: LaunchPlan) -> LaunchPlan:
        """The plan that the name stands for from now on: the known one, if it says the same.

        Raises:
            CallError: the name stands for a plan that differs.
        """
        known = self._by_name.get(plan.name)
        if known is not None and known.workflow is plan.workflow and known.settings == plan.settings:
            return known
        if known is not None and (differs := _difference(known, plan)):
            raise CallError(
                f"launch plan '{plan.name}' is made twice, with different {differs}",
                where=f"{plan.where}; before at {known.where}",
                fix="give one of them another name",
            )
        self._by_name[plan.name] = plan  # new, or made again by a module that was loaded again
        return plan

    def __iter__(self) -> Any:
        return iter(self._by_name.values())

    def reset(self) -> None:
        """Forget all of them; for tests."""
        self._by_name.clear()


plans = Plans()
"""The plans that `LaunchPlan.create` and `LaunchPlan.get_or_create` made."""


def _settings(keywords: Mapping[str, Any]) -> PlanSettings:
    known = [f.name for f in fields(PlanSettings)]
    unknown = [repr(key) for key in keywords if key not in known]
    if unknown:
        raise SignatureError(
            f"a launch plan has no setting {', '.join(unknown)}", where=caller(), fix=f"one of {', '.join(known)}"
        )
    return PlanSettings(**{key: value for key, value in keywords.items() if value is not None})


def _fault(one: Input | None, value: Any) -> str:
    """What is wrong with a value for an input; empty if nothing is, or it cannot be known without I/O."""
    if one is None:
        return "is unknown"
    if one.converter.copy is None:
        return ""
    try:
        one.converter.copy(value)
    except AlulaError as exc:
        return exc.about("does not fit")
    return ""


def _snapshot(workflow: BaseWorkflow, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are now, where the type can be copied: the caller may change what he passed."""
    converters = {key: workflow.interface.inputs[key].converter for key in values}
    return {key: c.copy(values[key]) if (c := converters[key]).copy else values[key] for key in values}


def _difference(known: LaunchPlan, plan: LaunchPlan) -> str:
    """In what two plans of one name differ; empty: not in anything that was written down."""
    found = [] if known.workflow.name == plan.workflow.name else ["workflows"]
    found += [f.name for f in fields(PlanSettings) if getattr(known.settings, f.name) != getattr(plan.settings, f.name)]
    return ", ".join(found)
