"""Places where a crash is worth trying: before and after every commit and every effect on the outside.

Nothing happens there but in a test: a handler is told the label (the simulation kills its engine), or, with
`ALULA_CRASH_AT=label` or `ALULA_CRASH_AT=label:3` in the environment, the process kills itself when it comes there,
for the third time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

from alula.errors import ConfigError

VARIABLE = "ALULA_CRASH_AT"

POINTS = (
    "claim.before",
    "claim.after",
    "load.after",
    "commit.before",
    "commit.after",
    "perform.after",
    "start.before",
    "start.after",
    "acquire.before",
    "acquire.after",
    "saved.before",
    "saved.after",
    "close.before",
    "close.after",
    "outputs.before",
    "outputs.after",
    "gather.before",
    "gather.after",
    "child.before",
    "child.after",
    "child.abort.before",
    "child.abort.after",
    "cache.lookup.before",
    "cache.lookup.after",
    "cache.reserve.before",
    "cache.reserve.after",
    "cache.store.before",
    "cache.store.after",
    "cache.release.before",
    "retire.before",
    "retire.after",
)
"""All labels of the engine."""
CALLS = tuple(
    f"call.{call}.{when}"
    for call in ("open", "create", "find", "get", "outputs", "delete", "handle", "abort", "finalize", "do")
    for when in ("before", "after")
)
"""Labels around the calls to plugins."""

Handler = Callable[[str], None]
_handlers: list[Handler] = []


def crash_point(label: str) -> None:
    """Say that the engine has come to a place where it may die."""
    if _handlers:
        for handler in list(_handlers):
            handler(label)


def install(handler: Handler) -> Callable[[], None]:
    """Have a handler told every label from now on; gives what takes it away again."""
    _handlers.append(handler)
    return lambda: _handlers.remove(handler) if handler in _handlers else None


def arm(environ: Mapping[str, str]) -> None:
    """Have this process kill itself where the environment says. Raises ConfigError for a label that there is not."""
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return
    label, _, nth = wanted.partition(":")
    known = POINTS + CALLS
    if label not in known or not (nth or "1").isdecimal():
        raise ConfigError(f"{VARIABLE} is {wanted!r}", fix=f"give LABEL or LABEL:NTH, a label of {', '.join(known)}")
    left = int(nth or "1")

    def kill(at: str) -> None:
        nonlocal left
        if at == label:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    install(kill)
