"""The entities of Alula inside the tasks that a program for flytekit makes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from alula.compat.flytekit.core.context_manager import FlyteContextManager
from alula.compat.flytekit.core.promise import unwrapped
from alula.compat.flytekit.exceptions.base import FlyteException
from alula.compat.flytekit.models.literals import LiteralMap
from alula.compat.model import message_of
from alula.errors import AlulaError
from alula.idl import TaskTemplate
from alula.sdk import current
from alula.sdk.dynamic import DynamicTask
from alula.sdk.eager import EagerTask
from alula.sdk.graph import Entity, Node
from alula.sdk.instance import InstanceTask
from alula.sdk.local import Kept, LocalRun, keep_outputs, kept_of, literal_of, wait_for
from alula.sdk.options import TaskOptions
from alula.sdk.resolver import Resolver
from alula.sdk.task import PythonTask
from alula.sdk.taskplugin import TaskPlugin

if TYPE_CHECKING:
    from alula.compat.flytekit.core.base_task import PythonTask as Theirs


class Dressing(TaskPlugin[Any]):
    """What a task of flytekit's kind says about itself, for its template."""

    def __init__(self, theirs: Theirs[Any]) -> None:
        self._theirs = theirs
        self.task_type = theirs.task_type  # type: ignore[misc]  # of each task here
        self.task_type_version = theirs.task_type_version  # type: ignore[misc]

    def custom(self, config: Any) -> Mapping[str, Any]:
        return self._theirs.get_custom(self._theirs.settings()) or {}

    def labels(self, config: Any) -> Mapping[str, str]:
        return self._theirs.get_config(self._theirs.settings()) or {}


class _Finder(Resolver):
    """A resolver of flytekit's kind, for Alula's compiler."""

    def __init__(self, theirs: Theirs[Any]) -> None:
        self._theirs = theirs
        self.location = theirs.task_resolver.location

    def loader_args(self, task: Entity) -> list[str]:
        found: list[str] = self._theirs.task_resolver.loader_args(self._theirs.settings(), self._theirs)
        return found

    def load_task(self, loader_args: Any) -> Entity:
        return self._theirs.task_resolver.load_task(list(loader_args)).__alula_entity__  # type: ignore[no-any-return]


class _Inner(PythonTask[..., Any]):
    """What all of them share: they know the object of the program that they belong to."""

    theirs: Theirs[Any]

    @property
    def resolver(self) -> Resolver:
        return _Finder(self.theirs)

    def _find_plugin(self) -> TaskPlugin[Any] | None:
        return Dressing(self.theirs) if self.theirs.dressed else None

    def around(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()


class PlainTask(_Inner):
    """A function that nobody has put anything around."""

    def __init__(self, theirs: Theirs[Any], fn: Callable[..., Any], options: TaskOptions) -> None:
        self.theirs = theirs
        super().__init__(named(fn, theirs), options, name=theirs.name, interface=theirs.python_interface.ours)

    def _note(self, exc: Exception, attempts: int = 1) -> None:
        """Nothing: the message says it, as flytekit's does."""


class HookedTask(_Inner):
    """A task whose class says what happens before, instead of and after the function."""

    def __init__(self, theirs: Theirs[Any], fn: Callable[..., Any] | None, options: TaskOptions) -> None:
        self.theirs = theirs
        body = fn if fn is not None else _body_of(theirs)
        PythonTask.__init__(self, body, options, name=theirs.name, interface=theirs.python_interface.ours)
        self.awaits = False

    def values(self, inputs: dict[str, Kept], run: LocalRun) -> dict[str, Any]:
        params = self.theirs.pre_execute(current.current_context())
        if params is not None:
            current.enter(params)  # left by whoever has entered the context of the attempt
        return super().values(inputs, run)

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        with prefixed(self.theirs.name):
            result = self.theirs.execute(**values)
            if inspect.isawaitable(result):
                result = wait_for(result)
            result = self.theirs.post_execute(current.current_context(), result)
        if isinstance(result, LiteralMap):
            return self._kept(result, run)
        return keep_outputs(self.short_name, self.where, self.interface, result, run.place)

    def _kept(self, outputs: LiteralMap, run: LocalRun) -> tuple[Kept, ...]:
        found = outputs.literals
        declared = self.interface.outputs.items()
        return tuple(kept_of(message_of(found[name]), one.converter, run.place) for name, one in declared)

    def _note(self, exc: Exception, attempts: int = 1) -> None:
        """Nothing: the message says it, as flytekit's does."""


class DispatchedTask(HookedTask):
    """A task whose class turns literals into literals itself."""

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        declared = self.interface.inputs
        literals = {name: literal_of(kept, declared[name].converter, run.place) for name, kept in inputs.items()}
        given = LiteralMap.from_flyte_idl(message_of(LiteralMap(literals)))
        return self._kept(self.theirs.dispatch_execute(FlyteContextManager.current_context(), given), run)


class TemplateTask(HookedTask, InstanceTask):
    """A task whose container is its class's own business."""

    runs_user_code = False

    def __init__(self, theirs: Theirs[Any], options: TaskOptions) -> None:
        HookedTask.__init__(self, theirs, None, options)

    def execute(self, **inputs: Any) -> Any:
        return self.theirs.execute(**inputs)

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        settings = self.theirs.settings()
        for field, part in (
            ("container", self.theirs.get_container(settings)),
            ("k8s_pod", self.theirs.get_k8s_pod(settings)),
            ("sql", self.theirs.get_sql(settings)),
        ):
            if part is not None:
                getattr(template, field).CopyFrom(message_of(part))


class InnerDynamic(DynamicTask[..., Any]):
    """A function whose calls become nodes when it runs."""

    def __init__(self, theirs: Theirs[Any], fn: Callable[..., Any], options: TaskOptions) -> None:
        self.theirs = theirs
        body = named(fn, theirs, result=unwrapped)
        PythonTask.__init__(self, body, options, name=theirs.name, interface=theirs.python_interface.ours)
        self.hints = tuple(options.node_dependency_hints or ())

    resolver = _Inner.resolver
    _find_plugin = _Inner._find_plugin
    around = _Inner.around
    _note = PlainTask._note


class InnerEager(EagerTask[..., Any]):
    """An async function that awaits others."""

    def __init__(self, theirs: Theirs[Any], fn: Callable[..., Any], options: TaskOptions) -> None:
        self.theirs = theirs
        PythonTask.__init__(self, fn, options, name=theirs.name, interface=theirs.python_interface.ours)

    resolver = _Inner.resolver
    _find_plugin = _Inner._find_plugin
    around = _Inner.around


def named(
    fn: Callable[..., Any], theirs: Theirs[Any], result: Callable[[Any], Any] | None = None
) -> Callable[..., Any]:
    """The function of a task, whose errors say which task raised them, as flytekit's do in a local run.

    A test may put another `execute` onto the task; then that is called.
    """
    name, patched = theirs.name, vars(theirs)
    if inspect.iscoroutinefunction(inspect.unwrap(fn)):

        @functools.wraps(fn)
        async def awaited(**kwargs: Any) -> Any:
            with prefixed(name):
                return await fn(**kwargs)

        return awaited

    @functools.wraps(fn)
    def called(**kwargs: Any) -> Any:
        try:
            found = patched.get("execute", fn)(**kwargs)
        except Exception as exc:
            _prefix(exc, name)
            raise
        return found if result is None else result(found)

    return called


@contextlib.contextmanager
def prefixed(name: str) -> Iterator[None]:
    """Errors of a block say which task raised them."""
    try:
        yield
    except Exception as exc:
        _prefix(exc, name)
        raise


def _prefix(exc: Exception, name: str) -> None:
    if not current.current_context().execution.local:
        return
    text = f"Error encountered while executing '{name}':\n  {_said(exc)}"
    if isinstance(exc, AlulaError):
        exc.what = text
    exc.args = (text,)


def _said(exc: Exception) -> str:
    return exc.what if isinstance(exc, AlulaError) and not isinstance(exc, FlyteException) else str(exc)


def _body_of(theirs: Theirs[Any]) -> Callable[..., Any]:
    """A function for a task that has none, which names the module where the task is made."""

    def body(**values: Any) -> Any:
        return theirs.execute(**values)

    body.__module__ = theirs.instantiated_in or "__main__"
    body.__qualname__ = body.__name__ = theirs.name.rpartition(".")[2]
    body.__doc__ = type(theirs).__doc__
    return body
