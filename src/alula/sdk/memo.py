"""The local cache in the way of a task: look up, run, put."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alula.sdk.graph import Node
    from alula.sdk.local import Kept, LocalRun
    from alula.sdk.task import PythonTask


def through_cache(
    task: PythonTask[..., object],
    inputs: dict[str, Kept],
    run: LocalRun,
    node: Node | None,
    perform: Callable[[], tuple[Kept, ...]],
) -> tuple[Kept, ...]:
    return perform()


def look_up(task: PythonTask[..., object], inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...] | None:
    return None


def put(task: PythonTask[..., object], inputs: dict[str, Kept], outputs: tuple[Kept, ...], run: LocalRun, node: Node | None) -> None:
    return None
