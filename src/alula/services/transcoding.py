"""JSON over HTTP to messages and back, as `google.api.http` says; pure.

Source: google/api/http.proto (paths, query, body), protobuf's JSON mapping (values).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError, SerializeToJsonError
from google.protobuf.message import DecodeError, Message

from alula.admin.desk import refuse
from alula.errors import RequestError
from alula.idl.service import Route, routes_of
from alula.services.binding import Rpc
from alula.services.sayable import make_sayable

_VARIABLE = re.compile(r"\{([\w.]+)\}")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_FLAT = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"})
"""Messages that are one text in JSON."""
_WRAPPED = "google.protobuf."


@dataclass(frozen=True, slots=True)
class Path:
    """One template of one call."""

    rpc: Rpc
    route: Route
    pattern: re.Pattern[str]
    fields: tuple[str, ...]
    """What the groups of the pattern stand for: `id.project`."""

    def match(self, raw: str) -> dict[str, str] | None:
        """Fields of the request by name, out of a path as it was sent; None: it is another one."""
        found = self.pattern.fullmatch(raw)
        if found is None:
            return None
        return {name: unquote(value) for name, value in zip(self.fields, found.groups(), strict=True)}


class Table:
    """All templates of all calls, found by verb and number of segments."""

    def __init__(self, rpcs: Iterable[Rpc]) -> None:
        self._paths: dict[int, list[Path]] = {}
        for rpc in rpcs:
            for route in routes_of(rpc.method):
                self._paths.setdefault(route.path.count("/"), []).append(_path(rpc, route))
        for several in self._paths.values():  # what is written out comes before what may be anything
            several.sort(key=lambda one: [segment.startswith("{") for segment in one.route.path.split("/")])

    @property
    def paths(self) -> list[Path]:
        return [path for several in self._paths.values() for path in several]

    def find(self, verb: str, raw: str) -> tuple[Path, dict[str, str]] | None:
        """The call at a path, and the fields that the path gives."""
        for path in self._paths.get(raw.count("/"), ()):
            if path.route.verb == verb and (fields := path.match(raw)) is not None:
                return path, fields
        return None

    def verbs(self, raw: str) -> list[str]:
        """Which verbs a path takes; none: nothing is there."""
        paths = self._paths.get(raw.count("/"), ())
        return sorted({path.route.verb for path in paths if path.match(raw) is not None})


def request_of(path: Path, fields: Mapping[str, str], query: Sequence[tuple[str, str]], body: Any) -> Message:
    """The request of a call. What the path says counts more than the query, and the query more than the body.

    Args:
        body: Of JSON, parsed; or bytes of the message; None: there is none.

    Raises:
        RequestError: With every fault of path and query, or the first one of the body.
    """
    message = path.rpc.asks()
    if body is not None and path.route.body:
        into: Message = message if path.route.body == "*" else getattr(message, path.route.body)
        if isinstance(body, bytes):
            _read(body, into)
        else:
            _parse(body, into, "body")
    given, faults = _given([*query, *fields.items()], path.rpc.method.input_type, single=frozenset(fields))
    if faults:
        raise refuse("the request cannot be read", faults, where=path.route.path)
    _parse(given, message, "query")
    return message


def shown(message: Message) -> dict[str, Any]:
    """A message as JSON has it: camel case, and what is empty, too.

    What JSON has no form for is the nearest that it has: a task with an endless timeout keeps nobody from its list.
    """
    try:
        return MessageToDict(message, always_print_fields_with_no_presence=True)
    except (SerializeToJsonError, DecodeError, TypeError, ValueError):
        sayable = type(message)()
        sayable.CopyFrom(message)
        make_sayable(sayable)
        return MessageToDict(sayable, always_print_fields_with_no_presence=True)


def field_of(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """A field by its own name or by that in JSON."""
    found = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
    return found or next((one for one in descriptor.fields if one.json_name == name), None)


def inner_of(field: FieldDescriptor) -> Descriptor:
    """What a field holds that is a message."""
    assert field.message_type is not None
    return field.message_type


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map, which a query cannot hold."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_text(descriptor: Descriptor) -> bool:
    """Whether a message is a single value in JSON."""
    name = descriptor.full_name
    return name in _FLAT or (
        name.startswith(_WRAPPED) and name.endswith("Value") and "value" in descriptor.fields_by_name
    )


def _path(rpc: Rpc, route: Route) -> Path:
    parts = _VARIABLE.split(route.path)
    pattern = "".join("([^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return Path(rpc, route, re.compile(pattern), tuple(parts[1::2]))


def _parse(data: Any, message: Message, where: str) -> None:
    if not isinstance(data, dict):
        raise RequestError("the request cannot be read: it is no object", where=where)
    try:
        ParseDict(data, message, max_recursion_depth=100)
    except (ParseError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise RequestError(f"the request cannot be read: {str(exc)[:500] or type(exc).__name__}", where=where) from exc


def _read(data: bytes, message: Message) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError as exc:
        raise RequestError(f"the body is no {message.DESCRIPTOR.full_name}", where="body") from exc


def _given(
    pairs: Iterable[tuple[str, str]], descriptor: Descriptor, *, single: frozenset[str]
) -> tuple[dict[str, Any], list[str]]:
    """Dotted names and texts as the JSON of a message, and what is wrong with them."""
    whole: dict[str, Any] = {}
    faults: list[str] = []
    for name, text in pairs:
        try:
            _put(whole, name.split("."), text, descriptor, replace=name in single)
        except ValueError as exc:
            faults.append(f"{name}: {exc}")
    return whole, faults


def _put(into: dict[str, Any], names: list[str], text: str, descriptor: Descriptor, *, replace: bool) -> None:
    """Raises ValueError."""
    field = field_of(descriptor, names[0])
    if field is None:
        raise ValueError(f"{descriptor.name} has no field {names[0]!r}")
    if is_map(field):
        raise ValueError("is a map, and a query cannot hold one")
    inner = field.message_type
    if inner is not None and not is_text(inner):
        if len(names) == 1 or field.is_repeated:
            raise ValueError("is a message: name a field of it")
        deeper = into.setdefault(field.name, {})
        _put(deeper, names[1:], text, inner, replace=replace)
        return
    if len(names) > 1:
        raise ValueError(f"{names[0]!r} is a value, and has no fields")
    value: Any = text
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text.lower() not in _BOOLEANS:
            raise ValueError(f"is {text!r}, and must be true or false")
        value = _BOOLEANS[text.lower()]
    if field.is_repeated:
        into.setdefault(field.name, []).append(value)
        return
    if field.name in into and not replace:
        raise ValueError("is given twice")
    into[field.name] = value
