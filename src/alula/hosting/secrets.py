"""Secrets for plugins: where they come from, and how they are struck out of whatever a plugin says."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

from alula._kits.aio import to_thread
from alula.errors import Unknown
from alula.plugin.failure import AttemptFailure
from alula.plugin.phase import LogLink, PhaseInfo

STRUCK = "***"
_SHORTEST = 4
"""Characters; a shorter secret is struck out only where it stands alone."""


class Secrets:
    """Secrets by group and key: environment variables first, then files.

    Args:
        environ: `ALULA_SECRET_<GROUP>_<KEY>`, or Flyte's `_FSEC_<GROUP>_<KEY>`.
        directory: Of files `<group>/<key>`; None: there are none.
    """

    def __init__(self, environ: Mapping[str, str], directory: Path | None = None) -> None:
        self._environ, self._directory = environ, directory

    async def get(self, key: str, group: str = "") -> str:
        """A secret. Raises Unknown, with where it was looked for."""
        parts = "_".join(part.upper() for part in (group, key) if part)
        names = (f"ALULA_SECRET_{parts}", f"_FSEC_{parts}")
        for name in names:
            if name in self._environ:
                return self._environ[name]
        path = self._path(key, group)
        if path is not None:
            try:
                return (await to_thread(path.read_text, encoding="utf-8")).rstrip("\n")
            except OSError:
                pass
        looked = [f"the variable {name}" for name in names] + ([f"the file {path}"] if path else [])
        raise Unknown(
            f"there is no secret {key!r}" + (f" of the group {group!r}" if group else ""),
            where=f"looked for {', '.join(looked)}",
            fix=f"set {names[0]} for the engine"
            + ("" if path else ", or name a directory of secrets: `[secrets] directory`"),
        )

    def _path(self, key: str, group: str) -> Path | None:
        parts = [part for part in (group, key) if part]
        if self._directory is None or any(part in (".", "..") or "/" in part or "\\" in part for part in parts):
            return None
        return self._directory.joinpath(*parts)


class Censor:
    """Strikes out what was lent."""

    def __init__(self) -> None:
        self._lent: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None
        self._restore: Callable[[], None] | None = None

    def lend(self, secret: str) -> None:
        """Strike this out from now on, in all forms in which it may come back."""
        if not secret or secret in self._lent:
            return
        self._lent[secret] = None
        forms = {form for one in self._lent for form in _forms(one)}
        alone = sorted((re.escape(form) for form in forms if len(form) < _SHORTEST), key=len, reverse=True)
        anywhere = sorted((re.escape(form) for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join([*anywhere, *(rf"(?<!\w){form}(?!\w)" for form in alone)]))
        if self._restore is None:
            self._restore = _censor_logs(self)

    def close(self) -> None:
        """Leave the log alone again."""
        if self._restore is not None:
            self._restore()
            self._restore = None

    def text(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(STRUCK, text)

    def holds(self, text: str) -> bool:
        """Whether a secret is in there."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def data(self, value: Any) -> Any:
        """Plain data, struck out at every depth, names included."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.data(item) for key, item in value.items()}
            case list() | tuple():
                return [self.data(item) for item in value]
        return value

    def failure(self, failure: AttemptFailure) -> AttemptFailure:
        if self._pattern is None:
            return failure
        return replace(failure, code=self.text(failure.code), message=self.text(failure.message))

    def info(self, info: PhaseInfo) -> PhaseInfo:
        """What a plugin says of an attempt; its outputs stay as they are."""
        if self._pattern is None:
            return info
        return replace(
            info,
            reason=self.text(info.reason),
            links=tuple(LogLink(self.text(link.name), self.text(link.uri)) for link in info.links),
            custom=self.data(info.custom),
            failure=self.failure(info.failure) if info.failure is not None else None,
        )


def _forms(secret: str) -> set[str]:
    """A secret as it is, and as URLs, JSON and headers have it."""
    found = {secret, secret.strip(), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    found.add(repr(secret)[1:-1])
    encoded = base64.b64encode(secret.encode()).decode()
    if len(secret) >= 2 * _SHORTEST:
        found |= {encoded, encoded.rstrip("="), base64.urlsafe_b64encode(secret.encode()).decode()}
    return {form for form in found if form}


_FORMATTER = logging.Formatter()
_PLAIN = (int, float, bool, type(None))
_USUAL = frozenset(vars(logging.makeLogRecord({})))
_installing = Lock()
_censors: tuple[Censor, ...] = ()
"""Those that lent a secret and are not closed."""
_make: Callable[..., logging.LogRecord] | None = None
"""What made log records before; None: it makes them."""


def _censor_logs(censor: Censor) -> Callable[[], None]:
    """Strike secrets out of every log record that is made from now on; gives what ends that.

    A filter on a logger misses the records of other loggers, one on a handler those of handlers that come later, and a
    factory of records the facts that are added to them; so it is done where loggers make records.
    """
    global _censors, _make
    with _installing:
        _censors = (*_censors, censor)
        if _make is None:
            _make, logging.Logger.makeRecord = logging.Logger.makeRecord, _made  # type: ignore[assignment,method-assign]
    return lambda: _leave_logs(censor)


def _leave_logs(censor: Censor) -> None:
    global _censors, _make
    with _installing:
        _censors = tuple(one for one in _censors if one is not censor)
        if not _censors and _make is not None and logging.Logger.makeRecord is _made:
            logging.Logger.makeRecord, _make = _make, None  # type: ignore[method-assign]


@contextmanager
def contained() -> Iterator[None]:
    """Let go in the end of the censors of hosts that were killed meanwhile, and never closed: for tests."""
    before = _censors
    try:
        yield
    finally:
        for censor in set(_censors) - set(before):
            _leave_logs(censor)


def _made(logger: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
    make, censors = _make or logging.Logger.makeRecord, _censors
    record = make(logger, *args, **kwargs)
    if not censors:
        return record

    def struck(text: str) -> str:
        for censor in censors:
            text = censor.text(text)
        return text

    try:
        said = record.getMessage()
    except (TypeError, ValueError):
        said = str(record.msg)
    record.msg, record.args = struck(said), None
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text, record.exc_info = struck(_FORMATTER.formatException(record.exc_info)), None
    for name, fact in list(vars(record).items()):
        if name in _USUAL or isinstance(fact, _PLAIN):
            continue
        try:
            text = str(fact)
        except Exception:  # noqa: BLE001 - it is a guest's object, and says nothing
            continue
        shown = struck(text)
        if shown != text:
            setattr(record, name, shown)
    return record
