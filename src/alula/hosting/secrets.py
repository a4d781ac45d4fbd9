"""Secrets for plugins: where they come from, and how they are struck out of whatever a plugin says."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
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

    @property
    def idle(self) -> bool:
        return self._pattern is None

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


def _censor_logs(censor: Censor) -> Callable[[], None]:
    """Strike secrets out of every log record that is made from now on; gives what ends that.

    A filter on a logger misses the records of other loggers, one on a handler those of handlers that come later; so it
    is done where records are made.
    """
    make, active = logging.getLogRecordFactory(), True
    formatter = logging.Formatter()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if not active or censor.idle:
            return record
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            said = str(record.msg)
        record.msg, record.args = censor.text(said), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = censor.text(formatter.formatException(record.exc_info))
            record.exc_info = None
        return record

    def end() -> None:
        nonlocal active
        active = False
        if logging.getLogRecordFactory() is made:
            logging.setLogRecordFactory(make)

    logging.setLogRecordFactory(made)
    return end
