"""Small helpers of flytekit's that programs use."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from alula.compat.names import mirror
from alula.idl.ids import dns_label
from alula.sdk.current import current_context

_dnsify = dns_label


class timeit:
    """Measures a block, or a function that it decorates, for the timeline of the task's report."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __enter__(self) -> timeit:
        self._start, self._wall, self._process = datetime.now(UTC), time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc: Any) -> None:
        info = {
            "Name": self._name,
            "Start": self._start,
            "Finish": datetime.now(UTC),
            "WallTime": time.perf_counter() - self._wall,
            "ProcessTime": time.process_time() - self._process,
        }
        context = current_context()
        if context.timeline_deck not in context.decks:
            context.decks.append(context.timeline_deck)
        context.timeline_deck.append_time_info(info)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with timeit(self._name or func.__name__):
                return func(*args, **kwargs)

        return timed


class ClassDecorator:
    """A decorator of task functions that is a class: a subclass writes `execute`."""

    LINK_TYPE_KEY, PORT_KEY = "link_type", "port"

    def __init__(self, task_function: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        self.task_function = task_function
        self._wraps = functools.partial(type(self), **kwargs)
        if task_function is not None:
            functools.update_wrapper(self, task_function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.task_function is None:
            return self._wraps(task_function=args[0])
        return self.execute(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """What happens in place of the function."""
        raise NotImplementedError(f"{type(self).__name__}.execute")

    def get_extra_config(self) -> dict[str, str]:
        return {}


class AutoDeletingTempDir:
    """A directory that goes with the block."""

    def __init__(self, working_dir_prefix: str | None = None, tmp_dir: str | None = None, cleanup: bool = True) -> None:
        self._directory = tempfile.TemporaryDirectory(
            prefix=working_dir_prefix, dir=tmp_dir, ignore_cleanup_errors=not cleanup
        )

    @property
    def name(self) -> str:
        return self._directory.name

    def get_named_tempfile(self, name: str) -> str:
        return os.path.join(self.name, name)

    def __enter__(self) -> AutoDeletingTempDir:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._directory.cleanup()


def load_proto_from_file(pb2_type: Any, path: str) -> Any:
    """The message that a file holds."""
    with open(path, "rb") as file:
        return pb2_type.FromString(file.read())


def write_proto_to_file(proto: Any, path: str) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(proto.SerializeToString())


def str2bool(value: str | None) -> bool:
    return bool(value) and str(value).lower() in ("true", "t", "1")


__getattr__, __dir__ = mirror(__name__, {})
