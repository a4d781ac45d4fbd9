"""How an agent announces itself: a file with a lease, in a directory that engines read. Shared by both sides."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from alula.errors import RequestError

SUFFIX = ".agent.json"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
_TYPE = re.compile(r"[^\s@]{1,128}@\d{1,9}")
_MOST_TYPES = 1_000


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an agent says of itself."""

    name: str
    """Its own, the same after a restart: whoever announces that name later takes its place."""
    address: str
    """`host:port`, as engines reach it."""
    until: datetime
    """The end of its lease. It announces itself again well before."""
    task_types: tuple[str, ...] = ()
    """`type@version`, of those that start jobs."""
    sync_task_types: tuple[str, ...] = ()
    """`type@version`, of those that are answered at once."""
    conventions: tuple[str, ...] = ()
    """What it keeps of Alula's conventions (`alula.idl.agent`)."""
    plaintext: bool = False
    """It speaks without TLS."""

    def pack(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "address": self.address,
            "until": self.until.astimezone(UTC).isoformat(),
            "task_types": list(self.task_types),
            "sync_task_types": list(self.sync_task_types),
            "conventions": list(self.conventions),
            "plaintext": self.plaintext,
        }


def read(document: Any) -> Announcement:
    """An announcement out of its JSON form. It may come from anybody.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    if not isinstance(document, dict):
        raise RequestError("an announcement is a JSON object", where=str(document)[:80])
    faults: list[str] = []
    if not isinstance(document.get("name"), str) or not _NAME.fullmatch(document["name"]):
        faults.append("`name` must be 1 to 64 lower-case letters, digits, dots, dashes and underscores")
    if not isinstance(document.get("address"), str) or not re.fullmatch(r"[^\s/]{1,255}:\d{1,5}", document["address"]):
        faults.append("`address` must be host:port")
    lists: dict[str, tuple[str, ...]] = {}
    for key in ("task_types", "sync_task_types", "conventions"):
        given = document.get(key, [])
        whole = isinstance(given, list) and len(given) <= _MOST_TYPES and all(isinstance(one, str) for one in given)
        if not whole or (key != "conventions" and not all(_TYPE.fullmatch(one) for one in given)):
            faults.append(f"`{key}` must be a list of {'words' if key == 'conventions' else 'type@version'}")
        else:
            lists[key] = tuple(given)
    until = _time(document.get("until"))
    if until is None:
        faults.append("`until` must be a time such as 2026-01-31T12:00:00Z")
    if faults or until is None:
        raise RequestError(f"no announcement: {'; '.join(faults)}")
    return Announcement(
        name=document["name"],
        address=document["address"],
        until=until,
        plaintext=document.get("plaintext") is True,
        **lists,
    )


def put(directory: Path, said: Announcement) -> Path:
    """Write it where engines read it, all of it or nothing. Blocks. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (said.name + SUFFIX)
    with NamedTemporaryFile("w", dir=directory, prefix=".", delete=False) as file:
        json.dump(said.pack(), file)
    os.replace(file.name, path)
    return path


def listed(directory: Path) -> Sequence[Announcement]:
    """All that announced themselves, by name; what cannot be read is passed over. Blocks."""
    found = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            said = read(json.loads(path.read_text()))
        except (OSError, ValueError, RequestError):
            continue
        if path.name == said.name + SUFFIX:
            found.append(said)
    return found


def is_loopback(address: str) -> bool:
    """Whether an address of the form host:port is on this machine for sure."""
    if address.startswith("unix:"):
        return True
    host = address.rsplit(":", 1)[0].rsplit("/", 1)[-1].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _time(text: Any) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo is not None else None
