"""`@workflow`: a function that is read once to find a graph of tasks, and the imperative form that builds one."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from alula.errors import AlulaError, CallError, CompileError, SignatureError, note
from alula.sdk import walk
from alula.sdk.attempts import limit_of
from alula.sdk.bind import Bound, arguments, bind
from alula.sdk.conditional import ConditionalSection
from alula.sdk.graph import Entity, Node, Outputs, Trace, current_trace, tracing
from alula.sdk.local import Kept, LocalRun, current_run, keep_inputs, present
from alula.sdk.promise import Promise, Void
from alula.sdk.signature import Input, Interface, Output, caller, interface_of, optional, where_of
from alula.sdk.task import check_sync, names_of, refuse_entity
from alula.types.errors import TaskError
from alula.types.pickle import PickleTransformer
from alula.types.registry import default
from alula.types.transformer import split, type_name

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(enum.Enum):
    """What happens to the rest of a workflow when a node fails."""

    FAIL_IMMEDIATELY = 0
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = 1
    """Nodes that do not depend on the failed one still run; then the workflow fails."""


class WorkflowKeywords(TypedDict, total=False):
    """The keywords of `@workflow`."""

    failure_policy: WorkflowFailurePolicy | None
    interruptible: bool
    timeout: timedelta | float
    """Longest time from its begin to its end, when the platform runs it; zero is no limit."""
    on_failure: Entity | None
    """A task or workflow that runs once after a failure, with the workflow's inputs, and the error as an optional
    input of type `alula.TaskError`."""
    docs: Any
    pickle_untyped: bool
    default_options: Any


class Graph:
    """What a workflow's body comes down to: nodes in order, and what its outputs are bound to."""

    def __init__(self, trace: Trace, outputs: dict[str, Bound], failure: Node | None = None) -> None:
        self.trace, self.outputs, self.failure = trace, outputs, failure
        self.plan = walk.plan(trace, outputs)

    @property
    def nodes(self) -> list[Node]:
        return self.trace.nodes


def _handler(entity: Any, where: str) -> Entity | None:
    if entity is not None and not isinstance(entity, Entity):
        raise SignatureError(
            f"on_failure is {entity!r:.80}, which is no task or workflow",
            where=where,
            fix="put @task on the function; it may take the inputs of the workflow, and err: TaskError",
        )
    return entity


class BaseWorkflow(Entity):
    """What both forms of a workflow share."""

    def __init__(self, name: str, interface: Interface, where: str, **keywords: Unpack[WorkflowKeywords]) -> None:
        self.name, self.interface, self.where = name, interface, where
        policy: Any = keywords.get("failure_policy") or WorkflowFailurePolicy.FAIL_IMMEDIATELY
        if not isinstance(policy, WorkflowFailurePolicy):
            raise SignatureError(
                f"failure_policy is {policy!r:.80}, and must be a WorkflowFailurePolicy",
                where=where,
                fix=f"one of {', '.join(map(str, WorkflowFailurePolicy))}",
            )
        self.failure_policy = policy
        self.interruptible = keywords.get("interruptible", False)
        try:
            self.timeout = limit_of(keywords.get("timeout", 0))
        except ValueError as exc:
            raise SignatureError(str(exc), where=where, fix="such as timeout=timedelta(hours=5)") from None
        self.on_failure = _handler(keywords.get("on_failure"), where)
        self.docs = keywords.get("docs")
        self.default_options = keywords.get("default_options")

    @property
    def graph(self) -> Graph:
        raise NotImplementedError

    @property
    def nodes(self) -> list[Node]:
        return self.graph.nodes

    def compile(self) -> None:
        """Read the body now. Raises CompileError and its kin."""
        _ = self.graph

    def run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        run = current_run()
        graph = self.graph  # faults of the workflow come before those of the call
        given = arguments(self.short_name, self.interface, args, kwargs)
        kept = keep_inputs(self.short_name, self.interface, given, run)
        del graph
        return present(self.interface, self.perform(kept, run, None), run.place)

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        graph = self.graph
        patient = self.failure_policy is WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
        try:
            return walk.execute(graph.plan, inputs, run, patient=patient)
        except Exception as exc:
            if graph.failure is not None:
                self._handle_failure(graph.failure, inputs, run, exc)
            raise

    def _handle_failure(self, node: Node, inputs: dict[str, Kept], run: LocalRun, exc: Exception) -> None:
        """Run the failure handler once; what it raises is noted on the original error, which stays the error."""
        error = TaskError(message=str(exc), failed_node_id=getattr(exc, "node_id", ""))
        try:
            walk.handle_failure(node, inputs, run, error)
        except Exception as second:  # noqa: BLE001 - the boundary to the user's handler: the first error is the one
            note(exc, f"the failure handler '{node.title}' failed too: {type(second).__name__}: {second}")

    def _failure_node(self, trace: Trace) -> Node | None:
        """The node of the failure handler, bound to the workflow's inputs. Raises CompileError."""
        if self.on_failure is None:
            return None
        theirs = self.on_failure.interface.inputs
        faults = [f"it lacks the workflow's input '{key}'" for key in self.interface.inputs if key not in theirs]
        faults += [
            f"its input '{key}' is neither an input of the workflow nor optional"
            for key, one in theirs.items()
            if key not in self.interface.inputs and one.required and not optional(one.type)
        ]
        if faults:
            raise CompileError(
                f"on_failure of workflow '{self.short_name}' is '{self.on_failure.short_name}', which does not fit",
                where=self.where,
                fix="give it the workflow's inputs, and `err: TaskError | None = None`",
                faults=faults,
            )
        apart = Trace(self.name, self.interface.inputs)
        bindings = apart.promises()
        rest = {key: None for key, one in theirs.items() if key not in bindings and one.default is not None}
        rest = {key: None if optional(theirs[key].type) else theirs[key].default for key in rest}
        node = apart.add(self.on_failure, (), {**bindings, **rest})
        node.id = "fn0"
        return node

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


class PythonWorkflow(BaseWorkflow, Generic[P, R]):
    """A workflow around a function. The body runs once, with promises, when the graph is first needed."""

    def __init__(self, fn: Callable[P, R], **keywords: Unpack[WorkflowKeywords]) -> None:
        module, name = names_of(fn)
        untyped = Annotated[Any, PickleTransformer()] if keywords.get("pickle_untyped") else None
        super().__init__(f"{module}.{name}", interface_of(fn, name, untyped=untyped), where_of(fn), **keywords)
        self.fn = fn
        self.module, self.function = module, name
        self._graph: Graph | None = None
        self._lock = threading.RLock()
        self._reading = False
        self.__doc__ = fn.__doc__
        self.__name__ = getattr(fn, "__name__", name)
        self.__module__ = getattr(fn, "__module__", module)
        self.__wrapped__ = fn

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = super().__call__(*args, **kwargs)
        return result

    @property
    def graph(self) -> Graph:
        if self._graph is None:
            with self._lock:
                if self._graph is None:
                    self._graph = self._read()
        return self._graph

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_graph")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock(), _graph=None)

    def _read(self) -> Graph:
        if self._reading:
            raise CompileError(
                f"workflow '{self.function}' calls itself",
                where=self.where,
                fix="recursion needs a @dynamic, which decides at run time",
            )
        self._reading = True
        try:
            trace, outputs = read(self.fn, self.short_name, self.where, self.interface)
            for node in walk.nodes_of(trace):
                if isinstance(node.entity, BaseWorkflow):
                    node.entity.compile()  # also finds a workflow that calls itself
            return Graph(trace, outputs, self._failure_node(trace))
        except AlulaError as exc:
            note(exc, f"in workflow '{self.name}' ({self.where})")
            raise
        finally:
            self._reading = False


def read(
    fn: Callable[..., Any], name: str, where: str, interface: Interface, *, prefix: str = "", values: Any = None
) -> tuple[Trace, dict[str, Bound]]:
    """Run a body once and collect its nodes and what its outputs are bound to.

    Args:
        prefix: What node ids begin with.
        values: The inputs as plain values, for a dynamic task; None: promises.

    Raises:
        AlulaError: the one fault, or a CompileError that lists all.
    """
    trace = Trace(name, interface.inputs, prefix=prefix)
    try:
        with tracing(trace):
            result = fn(**(trace.promises() if values is None else values))
    except AlulaError as exc:
        trace.check(exc)
        raise
    trace.check()
    return trace, bind_outputs(name, where, interface, result)


def bind_outputs(name: str, where: str, interface: Interface, result: Any) -> dict[str, Bound]:
    """What a body returned, bound to the declared outputs by position. Raises SignatureError, CallError."""
    wanted = list(interface.outputs)
    if isinstance(result, Void) or result is None:
        values: list[Any] = [] if not wanted or len(wanted) > 1 or result is None else [result]
    elif interface.as_tuple or len(wanted) > 1:
        values = list(result) if isinstance(result, tuple | list) else [result]
    else:
        values = [result]
    if result is None and len(wanted) == 1 and optional(interface.outputs[wanted[0]].type):
        values = [None]
    if not wanted and values:
        if isinstance(result, Promise | Outputs | Node):
            raise SignatureError(
                f"workflow '{name}' returns a value, and declares no outputs",
                where=where,
                fix="add a return annotation, such as `-> int`",
            )
        values = []
    if len(values) != len(wanted):
        shown = "None (is `return` missing?)" if result is None else f"{len(values)} value(s)"
        raise SignatureError(
            f"workflow '{name}' returns {shown}, and declares {len(wanted)} output(s): "
            + ", ".join(f"{k}: {type_name(split(o.type)[0])}" for k, o in interface.outputs.items()),
            where=where,
            fix="return the promises of the tasks whose outputs are meant, one for each output",
        )
    try:
        return {
            key: bind(value, one.type, one.converter, f"output '{key}' of workflow '{name}'")
            for value, (key, one) in zip(values, interface.outputs.items(), strict=True)
        }
    except CallError as exc:
        exc.where = where  # the body is over, so its caller is whoever had it read
        raise


@overload
def workflow(fn: Callable[P, R], /) -> PythonWorkflow[P, R]: ...
@overload
def workflow(
    fn: None = None, /, **keywords: Unpack[WorkflowKeywords]
) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...
def workflow(fn: Any = None, /, **keywords: Any) -> Any:
    """A function as a workflow: its body is read once, with promises in place of values, to find the graph.

    Args:
        fn: A module-level function with type hints.
        keywords: `failure_policy`, `interruptible`, `timeout`, `on_failure`, `docs`, `default_options`.

    Raises:
        SignatureError, UnsupportedType: at once, with everything that is wrong with the declaration.
        PromiseError, CallError, CompileError: when the body is first read.
    """
    unknown = sorted(set(keywords) - set(WorkflowKeywords.__annotations__))
    if unknown:
        raise SignatureError(
            f"@workflow has no setting {', '.join(map(repr, unknown))}",
            where=caller(),
            fix=f"one of {', '.join(WorkflowKeywords.__annotations__)}",
        )

    def decorate(fn: Callable[..., Any]) -> PythonWorkflow[..., Any]:
        refuse_entity(fn, "workflow")
        check_sync(fn, "workflow")
        return PythonWorkflow(fn, **keywords)

    return decorate if fn is None else decorate(fn)


class ImperativeWorkflow(BaseWorkflow):
    """A workflow that is built call by call.

    Example:
        wf = Workflow(name="my.workflow")
        a = wf.add_workflow_input("a", int)
        node = wf.add_entity(add_one, a=a)
        wf.add_workflow_output("b", node.outputs["o0"])
    """

    def __init__(self, name: str, **keywords: Unpack[WorkflowKeywords]) -> None:
        self._inputs: dict[str, Input] = {}
        self._declared: dict[str, Output] = {}
        super().__init__(name, Interface(self._inputs, self._declared), caller(), **keywords)
        self._trace = Trace(name, self._inputs)
        self._bound: dict[str, Bound] = {}
        self._graph: Graph | None = None

    @property
    def inputs(self) -> Mapping[str, Promise]:
        """The promises of the inputs so far."""
        return self._trace.promises()

    @property
    def graph(self) -> Graph:
        if self._graph is None:
            self._trace.check()
            self._graph = Graph(self._trace, self._bound, self._failure_node(self._trace))
        return self._graph

    def add_workflow_input(self, input_name: str, python_type: Any) -> Promise:
        """Declare an input; the promise goes to entities. Raises UnsupportedType."""
        self._check_new(input_name, self._inputs, "input")
        self._inputs[input_name] = Input(input_name, python_type, default.converter(python_type))
        return self._trace.promises()[input_name]

    def add_entity(self, entity: Entity, **kwargs: Any) -> Node:
        """Add a node. Raises CallError, or a CompileError with all that is wrong; the workflow is as before then."""
        if not isinstance(entity, Entity):
            raise CallError(
                f"a node of workflow '{self.name}' is to run {entity!r:.80}, which is no task, workflow or launch plan",
                where=caller(),
                fix="put @task or @workflow on the function",
            )
        self._graph = None
        with tracing(self._trace):
            return self._trace.add_alone(entity, kwargs)

    def add_task(self, task: Entity, **kwargs: Any) -> Node:
        return self.add_entity(task, **kwargs)

    def add_subwf(self, sub_wf: Entity, **kwargs: Any) -> Node:
        return self.add_entity(sub_wf, **kwargs)

    def add_launch_plan(self, launch_plan: Entity, **kwargs: Any) -> Node:
        return self.add_entity(launch_plan, **kwargs)

    def add_on_failure_handler(self, entity: Entity) -> None:
        """Run `entity` after a failure. See `on_failure` of `@workflow`."""
        self.on_failure, self._graph = _handler(entity, caller()), None

    def add_workflow_output(self, output_name: str, p: Any, python_type: Any = None) -> None:
        """Bind an output to a promise, or to a list or dict of promises (then its type must be given)."""
        self._check_new(output_name, self._declared, "output")
        if python_type is None:
            if not isinstance(p, Promise):
                raise CallError(
                    f"output '{output_name}' of workflow '{self.name}' is no single promise, so its type is unknown",
                    where=caller(),
                    fix="pass python_type=, such as list[int]",
                )
            python_type = p._type
        converter = default.converter(python_type)
        self._bound[output_name] = bind(p, python_type, converter, f"output '{output_name}' of workflow '{self.name}'")
        self._declared[output_name] = Output(output_name, python_type, converter)
        self._graph = None

    def ready(self) -> bool:
        """Whether it has a node, and every input is used."""
        return bool(self._trace.nodes) and set(self._inputs) <= walk.used_inputs(self._trace)

    def create_conditional(self, name: str) -> Any:
        """A conditional whose branches are added to this workflow. See `alula.conditional`."""
        self._graph = None
        return ConditionalSection(name, self._trace)

    def _check_new(self, name: str, known: Mapping[str, Any], kind: str) -> None:
        self._graph = None
        if name in known:
            raise CallError(f"workflow '{self.name}' has an {kind} '{name}' already", where=caller())


def inside_workflow() -> bool:
    """Whether a workflow is being read here."""
    return current_trace() is not None
