"""What happens in a run, a line each, on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from alula.cli.aside import aside

_MARKS = {"succeeded": ("✓", "green"), "cached": ("✓", "cyan"), "failed": ("✗", "red"), "retrying": ("↻", "yellow")}


class Progress:
    """A line when a node ends, is cached or tried again, and when it takes long. Called from any thread.

    Args:
        say: Takes each line.
        slow_seconds: A node that runs for longer is announced while it does.
    """

    def __init__(self, say: Callable[[str], object] | None = None, *, slow_seconds: float = 1.0) -> None:
        self._say, self._slow_seconds = say or _to_stderr, slow_seconds
        self._lock = threading.Lock()
        self._began: dict[tuple[int, str], float] = {}
        self._announced: set[tuple[int, str]] = set()
        self._cached: set[tuple[int, str]] = set()

    def tell(self, event: str, title: str, details: str) -> None:
        """See `alula.sdk.local.LocalRun.observe`."""
        at, now = (threading.get_ident(), title), time.monotonic()
        with self._lock:
            if event == "started":
                self._began[at] = now
                return
            if event == "cached" and at in self._began:
                self._cached.add(at)  # said when it has succeeded, which comes next
                return
            cached = at in self._cached
            seconds = now - self._began.get(at, now)
            if event in ("succeeded", "failed"):
                self._began.pop(at, None)
                self._cached.discard(at)
                self._announced.discard(at)
        if event == "retrying":
            details = details.partition("\n")[0]
        elif event == "succeeded":
            details = "cached" if cached else f"{seconds:.1f} s" if seconds >= 0.1 else ""
        elif event != "progress":
            details = event
        self._print(*_MARKS.get(event, ("·", "white")), title, details)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Announce what takes long, while the block runs."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=[over], name="alula-progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(self._slow_seconds / 2):
            now = time.monotonic()
            with self._lock:
                slow = [at for at, began in self._began.items() if now - began > self._slow_seconds]
                new = [at for at in slow if at not in self._announced]
                self._announced.update(new)
            for _, title in new:
                self._print("…", "white", title, "is running")

    def _print(self, mark: str, color: str, title: str, details: str) -> None:
        tail = click.style(f"  {details}", dim=True) if details else ""
        self._say(f"{click.style(mark, fg=color)} {title}{tail}")


def _to_stderr(line: str) -> None:
    aside(line)
