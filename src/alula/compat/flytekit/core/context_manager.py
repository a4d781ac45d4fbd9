"""`FlyteContext`: where code runs, as plugins and transformers of flytekit ask for it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from alula.compat.flytekit.core.data_persistence import FileAccessProvider, default_local_file_access_provider
from alula.compat.flytekit.core.promise import node_of
from alula.compat.names import mirror
from alula.data.workspace import use, workspace
from alula.sdk import current, deck
from alula.sdk.current import Context, ContextBuilder
from alula.sdk.graph import Trace, current_trace, tracing
from alula.sdk.local import current_run, place_at, running


class ExecutionParameters(Context):
    """The context of a task, made by hand. What `current_context()` gives needs not be one: it has its attributes."""

    def __init__(
        self,
        execution_date: datetime | None = None,
        tmp_dir: Any = "",
        stats: Any = None,
        execution_id: Any = None,
        logging: Any = None,
        raw_output_prefix: str = "",
        output_metadata_prefix: str | None = None,
        checkpoint: Any = None,
        decks: Any = None,
        task_id: Any = None,
        enable_deck: bool = False,
        **kwargs: Any,
    ) -> None:
        execution = current.Execution(
            id=execution_id if execution_id is not None else current.LOCAL_ID,
            date=execution_date or datetime.now(UTC),
            raw_output_prefix=raw_output_prefix,
            output_metadata_prefix=output_metadata_prefix or "",
            working_directory=str(getattr(tmp_dir, "name", tmp_dir) or ""),
        )
        super().__init__(execution, task_id or "", enable_deck=enable_deck, attrs=kwargs.get("attrs") or kwargs)
        given = {"stats": stats, "checkpoint": checkpoint, "decks": decks}
        self._parts = {name: value for name, value in given.items() if value is not None}

    Builder = ContextBuilder

    @staticmethod
    def new_builder(current: Any = None) -> ContextBuilder:
        return ContextBuilder(current if current is not None else ExecutionParameters())


class BranchEvalMode(enum.Enum):
    BRANCH_ACTIVE = "branch active"
    BRANCH_SKIPPED = "branch skipped"


@dataclass
class CompilationState:
    """The workflow that is being read."""

    prefix: str = ""
    mode: int = 1
    task_resolver: Any = None
    nodes: Any = field(default_factory=list)

    def add_node(self, n: Any) -> None:
        self.nodes.append(n)

    def with_params(self, prefix: str, mode: int | None = None, resolver: Any = None, nodes: Any = None) -> Any:
        return CompilationState(prefix, mode or self.mode, resolver or self.task_resolver, nodes or [])


@dataclass
class ExecutionState:
    """How the code runs, and for which task."""

    class Mode(enum.Enum):
        TASK_EXECUTION = 1
        LOCAL_WORKFLOW_EXECUTION = 2
        LOCAL_TASK_EXECUTION = 3
        DYNAMIC_TASK_EXECUTION = 4
        EAGER_EXECUTION = 5
        EAGER_LOCAL_EXECUTION = 6
        LOCAL_DYNAMIC_TASK_EXECUTION = 7

    working_dir: Any = None
    mode: Mode | None = None
    engine_dir: Any = None
    branch_eval_mode: BranchEvalMode | None = None
    user_space_params: Any = None

    def with_params(
        self,
        working_dir: Any = None,
        mode: Mode | None = None,
        engine_dir: Any = None,
        branch_eval_mode: BranchEvalMode | None = None,
        user_space_params: Any = None,
        **_: Any,
    ) -> ExecutionState:
        given = {
            "working_dir": working_dir,
            "mode": mode,
            "engine_dir": engine_dir,
            "branch_eval_mode": branch_eval_mode,
            "user_space_params": user_space_params,
        }
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def is_local_execution(self) -> bool:
        return self.mode not in (self.Mode.TASK_EXECUTION, self.Mode.DYNAMIC_TASK_EXECUTION, self.Mode.EAGER_EXECUTION)


@dataclass(frozen=True)
class FlyteContext:
    """Where code runs: its files, its state, its settings. A value; `FlyteContextManager` makes it count."""

    file_access: FileAccessProvider = default_local_file_access_provider
    level: int = 0
    flyte_client: Any = None
    compilation_state: CompilationState | None = None
    execution_state: ExecutionState | None = None
    serialization_settings: Any = None
    in_a_condition: bool = False
    origin_stackframe: Any = None
    output_metadata_tracker: Any = None
    worker_queue: Any = None

    Builder: ClassVar[Any]

    @property
    def user_space_params(self) -> Any:
        return self.execution_state.user_space_params if self.execution_state else None

    @staticmethod
    def current_context() -> FlyteContext:
        return FlyteContextManager.current_context()

    def new_builder(self) -> ContextChange:
        return ContextChange(self)

    def with_execution_state(self, es: ExecutionState) -> ContextChange:
        return ContextChange(replace(self, execution_state=es))

    def with_compilation_state(self, c: CompilationState) -> ContextChange:
        return ContextChange(replace(self, compilation_state=c))

    def with_new_compilation_state(self) -> ContextChange:
        return self.with_compilation_state(self.new_compilation_state())

    def with_file_access(self, fa: FileAccessProvider) -> ContextChange:
        return ContextChange(replace(self, file_access=fa))

    def with_serialization_settings(self, ss: Any) -> ContextChange:
        return ContextChange(replace(self, serialization_settings=ss))

    def with_output_metadata_tracker(self, t: Any) -> ContextChange:
        return ContextChange(replace(self, output_metadata_tracker=t))

    def new_compilation_state(self, prefix: str = "") -> CompilationState:
        return CompilationState(prefix)

    def new_execution_state(self, working_dir: Any = None) -> ExecutionState:
        return ExecutionState(working_dir=working_dir, user_space_params=current.current_context())

    def get_deck(self) -> str:
        """The report of the running task, as one page."""
        return deck.page(current.current_context().decks)


class ContextChange:
    """A context that is being changed: `ctx.new_builder().with_...(...)`."""

    def __init__(self, context: FlyteContext) -> None:
        self._context = context

    def build(self) -> FlyteContext:
        return self._context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


FlyteContext.Builder = ContextChange


class FlyteContextManager:
    """The contexts that programs have put in place, innermost last."""

    @staticmethod
    def current_context() -> FlyteContext:
        given = _pushed.get()
        return _here() if given is None else replace(given, execution_state=_state(given.execution_state))

    @staticmethod
    def with_context(b: Any) -> Any:
        return _entered(b.build() if isinstance(b, ContextChange) else b)

    @staticmethod
    def push_context(ctx: FlyteContext, f: Any = None) -> FlyteContext:
        _stack.append(_entered(ctx))
        _stack[-1].__enter__()
        return ctx

    @staticmethod
    def pop_context() -> FlyteContext:
        before = FlyteContextManager.current_context()
        _stack.pop().__exit__(None, None, None)
        return before

    @staticmethod
    def size() -> int:
        given = _pushed.get()
        return 1 if given is None else given.level + 1

    @staticmethod
    def initialize() -> None:
        """Nothing: Alula has no state to set up."""

    @staticmethod
    def add_signal_handler(handler: Any) -> None:
        """Nothing: Alula ends its own work on a signal."""

    @staticmethod
    def get_origin_stackframe(limit: int = 2) -> Any:
        return None


class FlyteEntities:
    """flytekit's list of everything that was declared; Alula keeps none."""

    entities: ClassVar[list[Any]] = []


@dataclass
class OutputMetadata:
    """A note on an output."""

    artifact: Any = None
    dynamic_partitions: dict[str, str] | None = None
    time_partition: datetime | None = None
    additional_items: list[Any] | None = None


class OutputMetadataTracker:
    """Notes on outputs, for backends that keep artifacts; Alula keeps none."""

    def add(self, obj: Any, metadata: Any) -> None:
        """Forget it."""

    def get(self, obj: Any) -> Any:
        return None


_pushed: ContextVar[FlyteContext | None] = ContextVar("alula_flyte_context", default=None)
_stack: list[Any] = []


@contextmanager
def _entered(context: FlyteContext) -> Iterator[FlyteContext]:
    with ExitStack() as left_later:
        before = _pushed.get()
        level = 1 if before is None else before.level + 1
        token = _pushed.set(replace(context, level=level))
        left_later.callback(_pushed.reset, token)
        access = context.file_access
        if access is not default_local_file_access_provider:
            here = access.workspace
            left_later.enter_context(use(here))
            left_later.enter_context(running(replace(current_run(), place=place_at(here.prefix, here.objects))))
        state = context.compilation_state
        if state is not None and not isinstance(state.nodes, _Nodes):
            trace = left_later.enter_context(tracing(Trace("a compilation", prefix=state.prefix)))
            assert trace is not None
            state.nodes = _Nodes(trace)
        params = context.user_space_params
        if isinstance(params, Context) and params is not current.current_context():
            left_later.enter_context(current.entered(params))
        yield _pushed.get() or context


class _Nodes(Sequence[Any]):
    """The nodes that a workflow has so far, also those that come after this was made."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __getitem__(self, index: Any) -> Any:
        found = self._trace.nodes[index]
        return [node_of(each) for each in found] if isinstance(found, list) else node_of(found)

    def __len__(self) -> int:
        return len(self._trace.nodes)


def _here() -> FlyteContext:
    trace = current_trace()
    compiling = CompilationState(trace.prefix, nodes=_Nodes(trace)) if trace is not None else None
    return FlyteContext(compilation_state=compiling, execution_state=_state(None))


def _state(given: ExecutionState | None) -> ExecutionState:
    """How the code runs right now: as it was put in place, else as it is."""
    context = current.current_context()
    if given is not None:
        return replace(given, user_space_params=context)
    mode = None
    if current.running():
        local = context.execution.local
        mode = ExecutionState.Mode.LOCAL_TASK_EXECUTION if local else ExecutionState.Mode.TASK_EXECUTION
    return ExecutionState(str(workspace().directory), mode, user_space_params=context)


flyte_context_Var = _pushed
__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.secrets": "SecretsManager",
        "alula.sdk.checkpoint": "Checkpoint SyncCheckpoint",
        "alula.compat.flytekit.configuration": "Config SecretsConfig SerializationSettings Image ImageConfig",
        "alula.compat.flytekit.core.node": "Node",
    },
)
