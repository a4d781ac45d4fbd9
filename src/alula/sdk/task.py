"""`@task`: a Python function as a typed step."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, ParamSpec, TypeVar, Unpack, overload

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.errors import AlulaError, SignatureError, note
from alula.sdk import current, memo
from alula.sdk.attempts import in_time, recoverable, timed_out
from alula.sdk.bind import arguments
from alula.sdk.caching import CacheSettings
from alula.sdk.graph import Entity, Node
from alula.sdk.local import (
    Kept,
    LocalRun,
    current_run,
    fresh,
    fresh_async,
    keep_inputs,
    keep_outputs,
    keep_outputs_async,
    wait_for,
)
from alula.sdk.options import TaskKeywords, TaskOptions, options
from alula.sdk.reports import Report
from alula.sdk.resolver import Resolver
from alula.sdk.resolver import default as by_name
from alula.sdk.signature import Interface, caller, interface_of, where_of
from alula.sdk.taskplugin import TaskPlugin, plugins
from alula.types.pickle import PickleTransformer

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = lazy.module("asyncio")  # only tasks that await come there

P = ParamSpec("P")
R = TypeVar("R")


class PythonTask(Entity, Generic[P, R]):
    """A task around a Python function. Call it to run it here, or inside a workflow to make a node.

    Args:
        fn: The user's function, sync or async.
        options: Its settings.
        name: Full name; by default `module.function`.
        interface: By default that of the function.
    """

    task_type: ClassVar[str] = "python-task"

    def __init__(
        self, fn: Callable[P, R], options: TaskOptions, *, name: str = "", interface: Interface | None = None
    ) -> None:
        self.fn, self.options = fn, options
        self.module, self.function = names_of(fn)
        self.name = name or f"{self.module}.{self.function}"
        self.where = where_of(fn)
        self.interface = interface or interface_of(
            fn,
            self.function,
            ignore=options.ignore_input_vars,
            untyped=Annotated[Any, PickleTransformer()] if options.pickle_untyped else None,
        )
        self.plugin: TaskPlugin[Any] | None = self._find_plugin()
        self.cache = options.cache_settings(fn, self.interface.inputs, f"task '{self.function}' ({self.where})")
        self._coroutine = inspect.iscoroutinefunction(fn)
        if self.cache is not None:
            self.interface = _by_literal(self.interface)
        self.awaits = self._coroutine or inspect.iscoroutinefunction(inspect.unwrap(fn))
        self.__doc__ = fn.__doc__
        self.__name__ = getattr(fn, "__name__", self.function)
        self.__module__ = getattr(fn, "__module__", self.module)
        self.__wrapped__ = fn
        self._inputs = tuple((k, one.converter) for k, one in self.interface.inputs.items())
        self._copies = tuple((k, c.copy) for k, c in self._inputs if c.copy is not None)
        self._plain = self._is_plain()
        """An attempt needs nothing around the call, so that the shortest path may be taken."""
        self._simple = self._plain and not (options.retries or options.seconds or self.cache)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = super().__call__(*args, **kwargs)
        return result

    def with_overrides(self, **overrides: Any) -> Callable[P, R]:
        """This task, to be called in a workflow with other settings: `t.with_overrides(retries=3)(x=1)`.

        Typed like the task itself, where the promise's own `with_overrides` is unknown to a type checker.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            made: Any = self(*args, **kwargs)
            changed: R = made.with_overrides(**overrides) if hasattr(made, "with_overrides") else made
            return changed

        return call

    # where it runs: here

    def run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.awaits:
            return super().run_here(args, kwargs)
        run = current_run()
        given = arguments(self.function, self.interface, args, kwargs)
        if len(self._copies) < len(self._inputs):
            return self._named(self._run_here_later(given, run, caller()))
        # Taken now: until somebody awaits the coroutine, the caller may change what he passed.
        return self._named(self._run_here_async(keep_inputs(self.function, self.interface, given, run), run))

    def _named(self, made: Any) -> Any:
        made.__qualname__ = self.function  # Python's warning about a forgotten `await` shows it
        return made

    async def _run_here_later(self, given: dict[str, Any], run: LocalRun, where: str) -> Any:
        kept = await to_thread(keep_inputs, self.function, self.interface, given, run, where)
        return await self._run_here_async(kept, run)

    async def _run_here_async(self, kept: dict[str, Kept], run: LocalRun) -> Any:
        outputs = await self.perform_async(kept, run, None)
        values = zip(outputs, self.interface.outputs.values(), strict=True)
        return self.interface.pack(tuple([await fresh_async(v, one.converter, run.place) for v, one in values]))

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        if self._simple and run.plain and not (node is not None and node.overridden):
            try:
                return self._attempt_plainly(inputs, run)
            except Exception as exc:
                self._note(exc)
                raise
        cache = self.cache_settings(node)
        return memo.through_cache(self, cache, inputs, run, lambda: self._perform_fully(inputs, run, node))

    async def perform_async(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        """`perform`, for async functions on the caller's own event loop."""
        cache = self.cache_settings(node)
        return await memo.through_cache_async(self, cache, inputs, run, lambda: self._attempts_async(inputs, run, node))

    def cache_settings(self, node: Node | None) -> CacheSettings | None:
        """How a call is cached: as its node says, else as the task says; None: not at all."""
        if node is None or not node.overridden:
            return self.cache
        return None if node.overrides.cache is False else node.cache_settings() or self.cache

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        """Call the user's function once, in this thread, and keep what it returns."""
        with self.around():
            result = self.fn(**values)  # type: ignore[call-arg]
            if inspect.isawaitable(result):
                result = wait_for(result)
        return keep_outputs(self.function, self.where, self.interface, result, run.place)

    def _attempt_plainly(
        self, inputs: dict[str, Kept], run: LocalRun, context: current.Context | None = None
    ) -> tuple[Kept, ...]:
        """`attempt`, of a task without settings whose values need no I/O: a copy in, the call, a copy out."""
        token = current.enter(context or current.Context(run.execution, self.name))
        try:
            result = self.fn(**{key: copy(inputs[key]) for key, copy in self._copies})  # type: ignore[call-arg]
            if hasattr(result, "__await__"):  # a tenth of what `isawaitable` costs
                result = wait_for(result)
            return keep_outputs(self.function, self.where, self.interface, result, run.place)
        finally:
            current.leave(token)

    def around(self) -> AbstractContextManager[object]:
        """What the task plugin puts around the function; its names are added to the current context."""
        if self.plugin is None:
            return nullcontext()
        return _dressed(self.plugin, self.options.task_config)

    def _perform_fully(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        if self.awaits and type(self).invoke is PythonTask.invoke:
            return wait_for(self._attempts_async(inputs, run, node))  # type: ignore[no-any-return]
        retries, seconds = self._limits(node)
        context = self.context(run)
        for attempt in range(retries + 1):
            try:
                return self.attempt(inputs, run, node, seconds=seconds, context=context)
            except Exception as exc:
                if attempt == retries or not recoverable(exc, retries):
                    self._note(exc, attempt + 1)
                    raise
                run.tell("retrying", self.function, f"attempt {attempt + 1} of {retries + 1} failed: {exc}")
            context = context.next_attempt()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def attempt(
        self,
        inputs: dict[str, Kept],
        run: LocalRun,
        node: Node | None = None,
        *,
        seconds: float = 0,
        context: current.Context | None = None,
    ) -> tuple[Kept, ...]:
        """Run the function once, with its context, its report and a time limit. Raises what it raises."""
        if self._plain and not seconds:
            return self._attempt_plainly(inputs, run, context)
        context = context or self.context(run)
        token = current.enter(context)
        try:
            with self._report(context) as report:
                return in_time(lambda: self._once(inputs, run, node, report), seconds, self.function, self.where)
        finally:
            current.leave(token)

    def _once(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None, report: Report) -> tuple[Kept, ...]:
        values = self.values(inputs, run)
        report.inputs(self.interface.inputs, values)
        outputs = self.invoke(values, run, node)
        report.outputs(self.interface.outputs, lambda: self._shown(outputs, run))
        return outputs

    def values(self, inputs: dict[str, Kept], run: LocalRun) -> dict[str, Any]:
        """Fresh values for the function. Raises ConversionError that names the input."""
        return {key: fresh(inputs[key], converter, run.place) for key, converter in self._inputs}

    async def _attempts_async(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        retries, seconds = self._limits(node)
        context = self.context(run)
        for attempt in range(retries + 1):
            token = current.enter(context)
            try:
                with self._report(context) as report:
                    values = {key: await fresh_async(inputs[key], each, run.place) for key, each in self._inputs}
                    report.inputs(self.interface.inputs, values)
                    with self.around():
                        result = await self._in_time(self._result(values), seconds)
                    outputs = await keep_outputs_async(self.function, self.where, self.interface, result, run.place)
                    report.outputs(self.interface.outputs, lambda kept=outputs: self._shown(kept, run))  # type: ignore[misc]
                    return outputs
            except Exception as exc:
                if attempt == retries or not recoverable(exc, retries):
                    self._note(exc, attempt + 1)
                    raise
                run.tell("retrying", self.function, f"attempt {attempt + 1} of {retries + 1} failed: {exc}")
            finally:
                current.leave(token)
            context = context.next_attempt()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _result(self, values: dict[str, Any]) -> Any:
        """What the function gives. A plain decorator may hand on the coroutine, or run it on a loop of its own."""
        if self._coroutine:
            return await self.fn(**values)  # type: ignore[call-arg, misc]
        result: Any = await to_thread(lambda: self.fn(**values))  # type: ignore[call-arg]
        return await result if inspect.isawaitable(result) else result

    async def _in_time(self, made: Awaitable[Any], seconds: float) -> Any:
        limit, begun = asyncio.timeout(seconds or None), asyncio.get_running_loop().time()
        try:
            async with limit:
                result = await made
        except TimeoutError:
            if not limit.expired():
                raise
            raise timed_out(self.function, self.where, seconds) from None
        if limit.expired() or (seconds and asyncio.get_running_loop().time() > begun + seconds):
            # It swallowed the interruption, or kept the loop so busy that none could come.
            raise timed_out(self.function, self.where, seconds)
        return result

    # what it is

    @property
    def resolver(self) -> Resolver:
        """What finds this task again in a container."""
        resolver: Resolver = self.options.task_resolver or by_name
        return resolver

    def _report(self, context: current.Context) -> Report:
        return Report(context, self.options.deck_fields, self.fn)

    def _shown(self, outputs: tuple[Kept, ...], run: LocalRun) -> list[Any]:
        """The outputs as values, for the report."""
        declared = self.interface.outputs.values()
        return [fresh(kept, one.converter, run.place) for kept, one in zip(outputs, declared, strict=True)]

    def _limits(self, node: Node | None) -> tuple[int, float]:
        """Retries and seconds per attempt, overrides of the node first."""
        retries, seconds = self.options.retries, self.options.seconds
        if node is not None:
            retries = retries if node.overrides.retries is None else node.overrides.retries
            seconds = seconds if node.overrides.timeout is None else node.overrides.timeout.total_seconds()
        return retries, seconds

    def context(self, run: LocalRun) -> current.Context:
        """A new context for one attempt."""
        return current.Context(run.execution, self.name, enable_deck=self.options.deck)

    def _is_plain(self) -> bool:
        outputs = self.interface.outputs.values()
        copied = len(self._copies) == len(self._inputs) and all(one.converter.copy is not None for one in outputs)
        wanted = self.awaits or self.options.deck or self.plugin
        return copied and not wanted and type(self).invoke is PythonTask.invoke

    def _find_plugin(self) -> TaskPlugin[Any] | None:
        config = self.options.task_config
        if config is None:
            return None
        found = plugins.of(config)
        if found is None:
            raise SignatureError(
                f"no task plugin serves the task_config of '{self.function}', a {type(config).__qualname__}",
                where=self.where,
                fix="install or register the plugin: alula.sdk.taskplugin.register(MyPlugin())",
            )
        return found

    def _note(self, exc: Exception, attempts: int = 1) -> None:
        if isinstance(exc, AlulaError) and not exc.where:
            exc.where = f"task '{self.name}' ({self.where})"
        tries = f", attempt {attempts}" if attempts > 1 else ""
        note(exc, f"in task '{self.name}' ({self.where}{tries})")

    def __repr__(self) -> str:
        return f"<task {self.name}>"


def _by_literal(interface: Interface) -> Interface:
    """The same interface, its inputs kept as literals, for these carry the hashes that a cache key is made of."""
    inputs = {k: replace(one, converter=replace(one.converter, copy=None)) for k, one in interface.inputs.items()}
    return replace(interface, inputs=inputs)


class _dressed(AbstractContextManager["_dressed"]):
    """`TaskPlugin.around`, and the names it yields in the current context."""

    def __init__(self, plugin: TaskPlugin[Any], config: Any) -> None:
        self._around = plugin.around(config)

    def __enter__(self) -> _dressed:
        names: Mapping[str, object] = self._around.__enter__()
        self._token = current.enter(current.current_context().with_attrs(**(names or {})))
        return self

    def __exit__(self, *exc: Any) -> bool | None:
        current.leave(self._token)
        return self._around.__exit__(*exc)


@overload
def task(fn: Callable[P, R], /) -> PythonTask[P, R]: ...
@overload
def task(fn: None = None, /, **keywords: Unpack[TaskKeywords]) -> Callable[[Callable[P, R]], PythonTask[P, R]]: ...
def task(fn: Any = None, /, **keywords: Any) -> Any:
    """A function as a task: typed inputs and outputs, run here when called, a node when called in a workflow.

    Args:
        fn: A module-level function with type hints, sync or async.
        keywords: Settings, each a field of `TaskOptions`: `retries`, `timeout`, `cache`, `task_config`, ...

    Raises:
        SignatureError, UnsupportedType: with everything that is wrong with the declaration.

    Example:
        @task(retries=2, cache=Cache(version="1"))
        def add(a: int, b: int) -> int:
            return a + b
    """
    settings = options(keywords)

    def decorate(fn: Callable[..., Any]) -> PythonTask[..., Any]:
        check_reachable(fn, "task")
        return PythonTask(fn, settings)

    return decorate if fn is None else decorate(fn)


def names_of(fn: Callable[..., Any]) -> tuple[str, str]:
    """Module and name of a function, as a container finds them again; a script's module is its path from the root
    of its package."""
    fn = inspect.unwrap(fn)
    module, name = fn.__module__, getattr(fn, "__qualname__", type(fn).__name__)
    name = name.rpartition("<locals>.")[2]
    if module == "__main__":
        module = script_module(getattr(sys.modules["__main__"], "__file__", None)) or module
    return module, name


def script_module(file: str | None) -> str:
    """A script as a module: its path from the root of its package. Empty without a file."""
    if not file:
        return ""
    path = Path(file).resolve()
    parts = [path.stem]
    for folder in path.parents:
        if not (folder / "__init__.py").exists():
            break
        parts.insert(0, folder.name)
    return ".".join(parts)


def check_reachable(fn: Callable[..., Any], kind: str) -> None:
    """Raise SignatureError for a function inside a function: a container could not find it again.

    Test modules may nest, and so may decorators that use `functools.wraps`.
    """
    refuse_entity(fn, kind)
    plain = inspect.unwrap(fn)
    if not hasattr(plain, "__code__"):
        raise SignatureError(
            f"@{kind} is put on {fn!r:.80}, which is no function", where=where_of(fn), fix="put it on a `def`"
        )
    module = plain.__module__.rpartition(".")[2]
    nested = "<locals>" in plain.__qualname__
    if nested and not (module.startswith("test_") or module.endswith("_test")):
        raise SignatureError(
            f"{kind} '{plain.__name__}' is defined inside another function, where a worker cannot find it",
            where=where_of(plain),
            fix=f"move it to the top of module {plain.__module__}",
        )


def refuse_entity(fn: object, kind: str) -> None:
    """Raise SignatureError where a decorator meets what another one has made already."""
    if isinstance(fn, Entity):
        raise SignatureError(
            f"@{kind} is put on '{fn.short_name}', which another decorator has taken already",
            where=caller(),
            fix="put one of them on the function; a workflow calls the tasks that it runs in its body",
        )


def check_sync(fn: Callable[..., Any], kind: str) -> None:
    """Raise SignatureError for an async function where calls are collected and nothing is awaited."""
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(inspect.unwrap(fn)):
        raise SignatureError(
            f"@{kind} is put on '{inspect.unwrap(fn).__name__}', which is async",
            where=where_of(fn),
            fix="write `def`: the body only says which tasks run; or use @eager, whose body awaits them",
        )
