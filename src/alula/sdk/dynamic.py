"""`@dynamic`: a task whose body is a workflow, built at run time from real values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from alula.sdk import walk
from alula.sdk.graph import Node
from alula.sdk.local import Kept, LocalRun
from alula.sdk.options import TaskKeywords, TaskOptions, options
from alula.sdk.task import PythonTask, check_reachable, check_sync
from alula.sdk.workflow import Graph, read

P = ParamSpec("P")
R = TypeVar("R")


class DynamicTask(PythonTask[P, R]):
    """A task that decides at run time which tasks run: its inputs are values, the results of its calls promises."""

    def __init__(self, fn: Callable[P, R], options: TaskOptions) -> None:
        super().__init__(fn, options)
        self.hints = tuple(options.node_dependency_hints or ())

    def build(self, values: dict[str, Any]) -> Graph:
        """The graph for these inputs. Raises what the body raises."""
        with self.around():
            trace, outputs = read(self.fn, self.function, self.where, self.interface, prefix="d", values=values)
        return Graph(trace, outputs)

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        graph = self.build(values)
        return walk.execute(graph.plan, {}, run)


@overload
def dynamic(fn: Callable[P, R], /) -> DynamicTask[P, R]: ...
@overload
def dynamic(fn: None = None, /, **keywords: Unpack[TaskKeywords]) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...
def dynamic(fn: Any = None, /, **keywords: Any) -> Any:
    """A function whose calls of tasks become a workflow at run time; loops and ifs over its inputs are plain Python.

    Args:
        fn: A module-level function with type hints.
        keywords: Settings, each a field of `TaskOptions`.

    Raises:
        SignatureError, UnsupportedType: with everything that is wrong with the declaration.
    """
    settings = options(keywords, "dynamic")

    def decorate(fn: Callable[..., Any]) -> DynamicTask[..., Any]:
        check_reachable(fn, "dynamic")
        check_sync(fn, "dynamic")
        return DynamicTask(fn, settings)

    return decorate if fn is None else decorate(fn)
