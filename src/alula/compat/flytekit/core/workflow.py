"""`@workflow` and `ImperativeWorkflow` as flytekit has them, each around one of Alula's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alula.compat.adopt import adopted
from alula.compat.declared import declared
from alula.compat.flytekit.core.class_based_resolver import ClassStorageTaskResolver, reading
from alula.compat.flytekit.core.docstring import Docstring, documentation
from alula.compat.flytekit.core.interface import Interface, transform_function_to_interface, typed_interface
from alula.compat.flytekit.core.node import Mirror, Node
from alula.compat.flytekit.core.promise import Promise, call, unwrapped, wrapped
from alula.compat.flytekit.exceptions.user import FlyteValidationException
from alula.compat.flytekit.models.core.workflow import NodeMetadata
from alula.compat.flytekit.models.interface import TypedInterface
from alula.compat.flytekit.models.literals import Binding
from alula.compat.names import mirror
from alula.data.workspace import workspace
from alula.sdk.local import place_at
from alula.sdk.wire import binding
from alula.sdk.workflow import BaseWorkflow, PythonWorkflow, WorkflowFailurePolicy
from alula.sdk.workflow import ImperativeWorkflow as OurImperative


@dataclass
class WorkflowMetadata:
    on_failure: WorkflowFailurePolicy = WorkflowFailurePolicy.FAIL_IMMEDIATELY

    def __post_init__(self) -> None:
        if not isinstance(self.on_failure, WorkflowFailurePolicy):
            raise FlyteValidationException(f"Failure policy {self.on_failure} not acceptable")


@dataclass
class WorkflowMetadataDefaults:
    interruptible: bool = False

    def __post_init__(self) -> None:
        if self.interruptible not in (True, False):
            raise FlyteValidationException(f"Interruptible must be boolean, {self.interruptible} invalid")


class WorkflowBase(Mirror):
    """What both forms of a workflow share."""

    _held: BaseWorkflow
    _python_interface: Interface

    @property
    def name(self) -> str:
        return self._held.name

    @property
    def short_name(self) -> str:
        return self._held.short_name

    @property
    def docs(self) -> Any:
        return self._held.docs

    @property
    def default_options(self) -> Any:
        return self._held.default_options

    @property
    def workflow_metadata(self) -> WorkflowMetadata:
        return WorkflowMetadata(self._held.failure_policy)

    @property
    def workflow_metadata_defaults(self) -> WorkflowMetadataDefaults:
        return WorkflowMetadataDefaults(self._held.interruptible)

    @property
    def python_interface(self) -> Interface:
        return self._python_interface

    @property
    def interface(self) -> TypedInterface:
        return typed_interface(self._held.interface)

    @property
    def nodes(self) -> list[Node]:
        with adopted():
            return [Node(each) for each in self._held.graph.nodes]

    @property
    def output_bindings(self) -> list[Binding]:
        here = workspace()
        place = place_at(here.prefix, here.objects)
        with adopted():
            bound = self._held.graph.outputs
            return [Binding.from_flyte_idl(binding(name, each, place)) for name, each in bound.items()]

    @property
    def on_failure(self) -> Any:
        return getattr(self, "_on_failure", None)

    @property
    def failure_node(self) -> Node | None:
        with adopted():
            node = self._held.graph.failure
        return None if node is None else Node(node)

    _nodes, _output_bindings = nodes, output_bindings

    def construct_node_metadata(self) -> NodeMetadata:
        return NodeMetadata(self.short_name, interruptible=self._held.interruptible)

    def compile(self, **kwargs: Any) -> None:
        """Read the workflow now."""
        with adopted():
            self._held.compile()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self._held, args, kwargs)

    def execute(self, **kwargs: Any) -> Any:
        return self(**kwargs)

    def local_execute(self, ctx: Any, **kwargs: Any) -> Any:
        return self(**kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__} - {self.name}"


class _Body:
    """The function of a workflow, which sees flytekit's promises where Alula passes its own."""

    __signature__ = inspect.Signature()

    def __init__(self, fn: Callable[..., Any], workflow: PythonFunctionWorkflow) -> None:
        self.fn, self.workflow = fn, workflow
        plain = inspect.unwrap(fn)
        self.__module__, self.__name__, self.__doc__ = fn.__module__, fn.__name__, fn.__doc__
        self.__qualname__ = fn.__qualname__
        self.__code__ = plain.__code__
        self.__annotations__: dict[str, Any] = {}

    def __call__(self, **promises: Any) -> Any:
        with reading(self.workflow):
            return unwrapped(self.fn(**{name: wrapped(each) for name, each in promises.items()}))


class PythonFunctionWorkflow(WorkflowBase, ClassStorageTaskResolver):  # type: ignore[misc]  # `name` is a property
    """A workflow around a function, which is read once with promises in place of values."""

    def __init__(
        self,
        workflow_function: Callable[..., Any],
        metadata: WorkflowMetadata | None = None,
        default_metadata: WorkflowMetadataDefaults | None = None,
        docstring: Docstring | None = None,
        on_failure: Any = None,
        docs: Any = None,
        pickle_untyped: bool = False,
        default_options: Any = None,
    ) -> None:
        ClassStorageTaskResolver.__init__(self)
        self._function, self._on_failure = workflow_function, on_failure
        self._python_interface = transform_function_to_interface(
            workflow_function, docstring, pickle_untyped=pickle_untyped
        )
        ours = PythonWorkflow(
            _Body(workflow_function, self),
            failure_policy=(metadata or WorkflowMetadata()).on_failure,
            interruptible=(default_metadata or WorkflowMetadataDefaults()).interruptible,
            on_failure=on_failure.__alula_entity__ if on_failure is not None else None,
            docs=docs,
            default_options=default_options,
        )
        ours.interface = self._python_interface.ours
        self._hold(ours)

    @property
    def function(self) -> Callable[..., Any]:
        return self._function

    @property
    def docs(self) -> Any:
        """What was given, and for the rest what the docstring says."""
        return documentation(self._function, self._held.docs)


class ImperativeWorkflow(WorkflowBase):
    """A workflow that is built call by call."""

    def __init__(
        self, name: str, failure_policy: WorkflowFailurePolicy | None = None, interruptible: bool = False
    ) -> None:
        self._built = OurImperative(name, failure_policy=failure_policy, interruptible=interruptible)
        self._python_interface = Interface()
        self._hold(self._built)

    @property
    def inputs(self) -> dict[str, Promise]:
        return {name: Promise(each) for name, each in self._built.inputs.items()}

    def add_workflow_input(self, input_name: str, python_type: Any) -> Promise:
        """Declare an input. FlyteValidationException: there is one of that name."""
        with adopted():
            made = Promise(self._built.add_workflow_input(input_name, declared(python_type)))
        self._python_interface = self._python_interface.with_inputs({input_name: python_type})
        return made

    def add_workflow_output(self, output_name: str, p: Any, python_type: Any = None) -> None:
        """Bind an output."""
        with adopted():
            given = declared(python_type) if python_type is not None else None
            self._built.add_workflow_output(output_name, unwrapped(p), given)
        shown = python_type if python_type is not None else self._built.interface.outputs[output_name].type
        self._python_interface = self._python_interface.with_outputs({output_name: shown})

    def add_entity(self, entity: Any, **kwargs: Any) -> Node:
        with adopted():
            given = {name: unwrapped(value) for name, value in kwargs.items()}
            return Node(self._built.add_entity(entity.__alula_entity__, **given))

    def add_task(self, task: Any, **kwargs: Any) -> Node:
        return self.add_entity(task, **kwargs)

    def add_launch_plan(self, launch_plan: Any, **kwargs: Any) -> Node:
        return self.add_entity(launch_plan, **kwargs)

    def add_subwf(self, sub_wf: Any, **kwargs: Any) -> Node:
        return self.add_entity(sub_wf, **kwargs)

    def add_on_failure_handler(self, entity: Any) -> None:
        self._on_failure = entity
        with adopted():
            self._built.add_on_failure_handler(entity.__alula_entity__)

    def ready(self) -> bool:
        return self._built.ready()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            raise AssertionError("Only Keyword Arguments are supported for Workflow executions")
        return super().__call__(**kwargs)


def workflow(
    _workflow_function: Callable[..., Any] | None = None,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Any = None,
    docs: Any = None,
    *,
    pickle_untyped: bool = False,
    default_options: Any = None,
) -> Any:
    """A function as a workflow. See `alula.workflow`; the keywords are flytekit's."""

    def wrapper(fn: Callable[..., Any]) -> PythonFunctionWorkflow:
        with adopted():
            made = PythonFunctionWorkflow(
                fn,
                WorkflowMetadata(failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY),
                WorkflowMetadataDefaults(interruptible),
                Docstring(callable_=fn),
                on_failure,
                docs,
                pickle_untyped,
                default_options,
            )
        functools.update_wrapper(made, fn, updated=())
        return made

    return wrapper if _workflow_function is None else wrapper(_workflow_function)


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.reference": "ReferenceWorkflow reference_workflow",
        "alula.compat.flytekit.core.condition": "conditional ConditionalSection",
        "alula.compat.flytekit.core.context_manager": "FlyteContext FlyteContextManager",
        "alula.compat.flytekit.core.promise": "VoidPromise NodeOutput",
        "alula.compat.flytekit.core.base_task": "PythonTask Task",
    },
)
