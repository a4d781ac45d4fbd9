"""Values as text: as a person types them, as a command line takes them, and where a template asks for them."""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, get_args, get_origin
from typing import Literal as Choice

from alula._kits import bridge
from alula.errors import ConversionError, SignatureError
from alula.sdk.signature import optional
from alula.types.registry import default
from alula.types.transformer import Place, split, type_name

_INPUT = re.compile(r"\{\{\s*\.?inputs?\.(\w+)\s*\}\}", re.IGNORECASE)
"""`{{ .inputs.x }}`, as backends fill it in."""


def names(template: str) -> set[str]:
    """The inputs that a template asks for with `{{ .inputs.x }}`."""
    return set(_INPUT.findall(template))


def put_in(template: str, value: Callable[[str], str]) -> str:
    """A template with each `{{ .inputs.x }}` replaced by `value("x")`. What is put in is not looked at again."""
    return _INPUT.sub(lambda found: value(found[1]), template)


def check_names(templates: Iterable[str], inputs: Iterable[str], *, what: str, where: str, all_used: bool) -> None:
    """Raise SignatureError for inputs that templates ask for and there are not, and for those that nobody asks for."""
    known, asked = set(inputs), {name for template in templates for name in names(template)}
    faults = [f"asks for the input '{name}', which is not declared" for name in sorted(asked - known)]
    if all_used:
        faults += [f"never uses the input '{name}'" for name in sorted(known - asked)]
    if faults:
        raise SignatureError(
            f"{what} {' and '.join(faults)}",
            where=where,
            fix="write {{ .inputs.NAME }} for each input, and declare each: inputs=kwtypes(NAME=str)",
        )


def text_of(value: Any) -> str:
    """A value as one word of a command line: files and directories as their local path, structures as JSON."""
    match value:
        case enum.Enum():
            return str(value.value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case os.PathLike():
            return str(os.fspath(value))  # downloads what lives elsewhere
        case list() | dict() | tuple():
            return json.dumps(value, default=text_of)
        case _:
            return str(value)


def parse(text: str, t: Any, place: Place) -> Any:
    """A value of a declared type from text: as it is commonly written, or as JSON.

    Raises:
        ConversionError: it is neither.
    """
    base = split(t)[0]
    if base is str:
        return text
    text = text.strip()
    if optional(t) and text.lower() in ("", "none", "null"):
        return None
    try:
        if base in _READ:
            return _READ[base](text)
        if get_origin(base) is Choice:
            return next(choice for choice in get_args(base) if str(choice) == text)
    except (ValueError, StopIteration) as exc:
        raise ConversionError(
            f"{text!r:.80} is no {type_name(base)}", fix=_FIX.get(base, "write a value as in Python or JSON")
        ) from exc
    try:
        plain = json.loads(text)
    except json.JSONDecodeError:
        plain = text  # the value of an enum, a path, a variant of a union that is a str
    packing = default.packing(t)
    made = packing.unpack(plain, place)
    return bridge.run(made) if packing.awaits else made


def yes(text: str) -> bool:
    """A yes or a no. Raises ValueError."""
    answer = text.strip().lower()
    if answer in ("y", "yes", "true", "1"):
        return True
    if answer in ("n", "no", "false", "0"):
        return False
    raise ValueError("answer y or n")


def _seconds(text: str) -> timedelta:
    """`90`, `1:30:00`, or as Python prints it: `1 day, 1:30:00`."""
    found = re.fullmatch(r"(?:(-?\d+) days?,? ?)?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)?s?", text)
    if not text or found is None:
        raise ValueError(text)
    days, hours, minutes, seconds = found.groups()
    return timedelta(days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0))


_READ: Mapping[Any, Callable[[str], Any]] = {
    bool: yes,
    int: int,
    float: float,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    timedelta: _seconds,
}
_FIX: Mapping[Any, str] = {
    bool: "write yes or no",
    datetime: "write it like 2024-12-31T23:59:00+00:00",
    date: "write it like 2024-12-31",
    timedelta: "write it like 90 (seconds), 1:30:00 or 1 day, 1:30:00",
}
