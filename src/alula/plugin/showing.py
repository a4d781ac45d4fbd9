"""What people see of an attempt, as bytes in a row: `PhaseInfo` to JSON and back.

Plugins are guests, and rows may come from anybody who can write to the store: packing and reading take whatever they
are given, cut it to size, and never raise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from alula.plugin.phase import Json, LogLink, Phase, PhaseInfo

_REASON_CHARS = 2_000
_LINKS = 32
_LINK_CHARS = 2_000
_CUSTOM_BYTES = 16 * 1024
_DEPTH = 12
_ITEMS = 1_000
_SCHEMES = frozenset({"http", "https", "ftp", "file", "s3", "gs", "gcs", "az", "abfs", "abfss", "hdfs", "dbfs"})
"""Of links that people may be led to: none that runs in a browser."""
_LARGEST_INT = 2**63
CUT = {"cut": f"the facts are longer than {_CUSTOM_BYTES // 1024} KiB"}
"""Takes the place of facts that are too many."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an attempt last showed."""

    phase: Phase | None = None
    """None: nothing was shown, or it cannot be read."""
    reason: str = ""
    progress: float | None = None
    """From 0 to 1."""
    links: tuple[LogLink, ...] = ()
    custom: Mapping[str, Json] = field(default_factory=dict)


NOTHING_SHOWN = Shown()


def pack(info: PhaseInfo) -> bytes:
    """An info as a row keeps it. Infos that are equal give equal bytes; what has no place in JSON becomes text."""
    found: dict[str, Json] = {"phase": _text(info.phase, 32)}
    if info.reason:
        found["reason"] = _text(info.reason, _REASON_CHARS)
    progress = _fraction(info.progress)
    if progress is not None:
        found["progress"] = progress
    links: list[Json] = [[link.name, link.uri] for link in _links((one.name, one.uri) for one in info.links)]
    if links:
        found["links"] = links
    custom = _custom(info.custom)
    if custom:
        found["custom"] = custom
    return json.dumps(found, sort_keys=True, separators=(",", ":")).encode()


def read(data: bytes) -> Shown:
    """What was packed, whoever wrote it."""
    if not data:
        return NOTHING_SHOWN
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return NOTHING_SHOWN
    if not isinstance(found, dict):
        return NOTHING_SHOWN
    links = found.get("links")
    listed = links if isinstance(links, list) else []
    pairs = [(one[0], one[1]) for one in listed if isinstance(one, list) and len(one) == 2]
    custom = found.get("custom")
    return Shown(
        phase=_phase(found.get("phase")),
        reason=_text(found.get("reason", ""), _REASON_CHARS),
        progress=_fraction(found.get("progress")),
        links=_links(pairs),
        custom=_custom(custom) if isinstance(custom, dict) else {},
    )


def _phase(value: object) -> Phase | None:
    return Phase(value) if isinstance(value, str) and value in Phase._value2member_map_ else None


def _text(value: object, limit: int) -> str:
    """A text of printable characters, that any database and terminal takes."""
    text = value if isinstance(value, str) else _said(value)
    text = text[: limit + 1].encode("utf-8", "backslashreplace").decode()
    text = "".join(one if one.isprintable() or one in "\n\t" else " " for one in text)
    return text if len(text) <= limit else text[: limit - 4] + " ..."


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - it is a guest's object
        return f"<{type(value).__name__}>"


def _fraction(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(1.0, max(0.0, float(value))) if abs(value) < _LARGEST_INT and math.isfinite(value) else None


def _links(pairs: Iterable[tuple[object, object]]) -> tuple[LogLink, ...]:
    """Those that lead somewhere safe."""
    found = []
    for name, uri in islice(pairs, _LINKS):
        where = _text(uri, _LINK_CHARS + 4)
        scheme, colon, _ = where.partition("://")
        if colon and scheme.lower() in _SCHEMES and len(where) <= _LINK_CHARS and not any(map(str.isspace, where)):
            found.append(LogLink(_text(name, 200), where))
    return tuple(found)


def _custom(custom: Mapping[str, Any]) -> dict[str, Json]:
    found = {_text(key, 200): _json(value, _DEPTH) for key, value in islice(custom.items(), _ITEMS)}
    return found if len(json.dumps(found)) <= _CUSTOM_BYTES else dict(CUT)


def _json(value: object, depth: int) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _LARGEST_INT else _text(hex(value), 200)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if not depth:
        return "..."
    if isinstance(value, Mapping):
        return {_text(key, 200): _json(one, depth - 1) for key, one in islice(value.items(), _ITEMS)}
    if isinstance(value, list | tuple):
        return [_json(one, depth - 1) for one in islice(value, _ITEMS)]
    return _text(value, _CUSTOM_BYTES)
