"""What the engine logs while a command runs it: whole in a file, and trouble in one line for the user."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

_FORM = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
_OWN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
"""What every record has; anything else is a fact that was logged with it."""


class Facts(logging.Formatter):
    """A line with the facts that were logged with it: `plugin.blocked plugin=acme what='...'`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record) + "".join(f" {name}={_shown(fact)}" for name, fact in _facts(record))


def log_to_stderr(level: int) -> None:
    """Have a server log there, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(Facts("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _facts(record: logging.LogRecord) -> list[tuple[str, str]]:
    return [(name, str(fact)) for name, fact in vars(record).items() if name not in _OWN]


def _shown(fact: str) -> str:
    return fact if fact and not any(sign.isspace() for sign in fact) else repr(fact)


class _Told(logging.Handler):
    """Tells of a kind of trouble once, and once of each plugin."""

    def __init__(self, say: Callable[[str], None], path: Path) -> None:
        super().__init__(logging.WARNING)
        self._say, self._path = say, path
        self._seen: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        facts = _facts(record)
        kind = (record.msg, dict(facts).get("plugin", ""))
        if kind not in self._seen:
            self._seen.add(kind)
            said = ", ".join(f"{name} {' '.join(fact.split())}" for name, fact in facts)
            what = f"{record.getMessage()}: {said}" if said else record.getMessage()
            self._say(f"{click.style('!', fg='yellow')} {what}  {click.style(str(self._path), dim=True)}")


class _Kept(logging.FileHandler):
    """A file that is made when there is something to write, and left alone where there is no room for it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: trouble is told on the screen, too."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def keep_log(path: Path, say: Callable[[str], None]) -> Callable[[], None]:
    """Have warnings of Alula go to a file, made when there is one, and a line of each to `say`.

    Returns:
        What undoes it.
    """
    log = logging.getLogger("alula")
    handlers: list[logging.Handler] = [_Told(say, path)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_Kept(path, delay=True))
    except OSError:  # a home that cannot be written to is told of where it matters
        pass
    for handler in handlers:
        handler.setFormatter(Facts(_FORM))
        log.addHandler(handler)
    propagated, log.propagate = log.propagate, False

    def restore() -> None:
        log.propagate = propagated
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()

    return restore
