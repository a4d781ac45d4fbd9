"""Messages of flyteidl as flytekit's models show them: what is not set is None, times are Python's, maps are dicts.

A model is written down as its message and its fields, in the order in which its constructor takes them:

    class Blob(Model, idl=idl.Blob, fields="metadata uri"): ...

It holds plain attributes, and turns into the message and back as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_MODELS: dict[str, type[Model]] = {}
"""The model of each message, by the message's full name; of several the first."""


class Model:
    """A message with flytekit's shape. See the module's text."""

    idl: ClassVar[Any]
    fields: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[Mapping[str, str]] = {}
    """Fields that the message calls otherwise."""
    blank: ClassVar[frozenset[str]] = frozenset()
    """Fields whose empty value counts as not set."""
    dicts: ClassVar[frozenset[str]] = frozenset()
    """Fields of free data (Struct) that are shown as dictionaries."""

    def __init_subclass__(
        cls,
        *,
        idl: Any = None,
        fields: str = "",
        blank: str = "",
        dicts: str = "",
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        if idl is None:
            return
        cls.idl, cls.fields, cls.renamed = idl, tuple(fields.split()), renamed or {}
        cls.blank, cls.dicts = frozenset(blank.split()), frozenset(dicts.split())
        _MODELS.setdefault(idl.DESCRIPTOR.full_name, cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(self.fields):
            raise TypeError(f"{type(self).__name__} takes {len(self.fields)} arguments, {len(args)} given")
        given = dict(zip(self.fields, args, strict=False))
        unknown = [name for name in kwargs if name not in self.fields or name in given]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no argument {', '.join(unknown)}, or has it twice")
        self.__dict__.update(dict.fromkeys(self.fields), **given, **kwargs)

    def __getattr__(self, name: str) -> Any:  # reached only for what there is not
        if name[:1] == "_" and name[1:] in self.fields:
            return getattr(self, name[1:])  # tests of flytekit's look behind the properties
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; it has {', '.join(self.fields)}")

    if TYPE_CHECKING:  # fields are attributes like any other

        def __setattr__(self, name: str, value: Any) -> None: ...

    def to_flyte_idl(self) -> Any:
        """The message."""
        message = self.idl()
        known = message.DESCRIPTOR.fields_by_name
        for name in self.fields:
            value = getattr(self, name)
            if value is not None:
                _put(message, known[self.renamed.get(name, name)], value)
        return message

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Self:
        """The model of a message."""
        made = cls.__new__(cls)
        known = pb2_object.DESCRIPTOR.fields_by_name
        for name in cls.fields:
            value = _take(pb2_object, known[cls.renamed.get(name, name)])
            if name in cls.dicts and value is not None:
                value = _whole(MessageToDict(value))
            made.__dict__[name] = None if name in cls.blank and not value else value
        return made

    def serialize_to_string(self) -> Any:
        return self.to_flyte_idl().SerializeToString()

    @property
    def is_empty(self) -> bool:
        return not self.to_flyte_idl().SerializeToString()

    def short_string(self) -> str:
        return str(self)

    def verbose_string(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and bool(self.to_flyte_idl() == other.to_flyte_idl())

    def __hash__(self) -> int:
        return hash(self.to_flyte_idl().SerializeToString(deterministic=True))

    def __str__(self) -> str:
        lines = [f"Flyte Serialized object ({type(self).__name__}):", *_lines(self.to_flyte_idl(), "  ")]
        return "\n".join(lines)

    __repr__ = __str__


def message_of(value: Any) -> Any:
    """The message of a model; a message as it is."""
    return value.to_flyte_idl() if hasattr(value, "to_flyte_idl") else value


def model_of(message: Message) -> Any:
    """A message as its model, if it has one; else as it is."""
    cls = _MODELS.get(message.DESCRIPTOR.full_name)
    return message if cls is None else cls.from_flyte_idl(message)


def _put(message: Any, field: FieldDescriptor, value: Any) -> None:
    name, kind = field.name, field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        entries = getattr(message, name)
        of_messages = kind.fields_by_name["value"].message_type is not None
        for key, each in value.items():
            if of_messages:
                entries[key].CopyFrom(message_of(each))
            else:
                entries[key] = each
    elif hasattr(getattr(message, name), "extend"):
        getattr(message, name).extend([message_of(each) for each in value])
    elif kind is None:
        setattr(message, name, value)
    else:
        _fill(getattr(message, name), value)


def _fill(into: Any, value: Any) -> None:
    """A message out of a model, another message, or the plain value that stands for it."""
    into.SetInParent()
    match into.DESCRIPTOR.full_name:
        case "google.protobuf.Timestamp":
            into.FromDatetime(value if value.tzinfo is None else value.astimezone(UTC))
        case "google.protobuf.Duration":
            into.FromTimedelta(value)
        case "google.protobuf.Struct":
            into.CopyFrom(value) if isinstance(value, Message) else into.update(value)
        case "google.protobuf.BoolValue":
            into.value = value
        case "flyteidl.core.VariableMap" if isinstance(value, Mapping):
            for key, each in value.items():
                into.variables[key].CopyFrom(message_of(each))
        case "flyteidl.core.TypeAnnotation" if isinstance(value, Mapping):
            into.annotations.update(value)
        case _:
            into.CopyFrom(message_of(value))


def _take(message: Any, field: FieldDescriptor) -> Any:
    name, kind = field.name, field.message_type
    value = getattr(message, name)
    if kind is not None and kind.GetOptions().map_entry:
        return {key: _read(each) for key, each in value.items()}
    if hasattr(value, "extend"):
        return [_read(each) for each in value]
    if field.has_presence and not message.HasField(name):
        return None
    return _read(value)


def _read(value: Any) -> Any:
    """A field's value in Python's own terms."""
    if not isinstance(value, Message):
        return value
    message: Any = value
    match value.DESCRIPTOR.full_name:
        case "google.protobuf.Timestamp":
            found: datetime = message.ToDatetime(tzinfo=UTC)
            return found
        case "google.protobuf.Duration":
            length: timedelta = message.ToTimedelta()
            return length
        case "google.protobuf.BoolValue":
            return message.value
        case "flyteidl.core.VariableMap":
            return {key: _read(each) for key, each in message.variables.items()}
        case _:
            return model_of(value)


def _lines(message: Any, indent: str) -> Iterable[str]:
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key, each in value.items():
                yield f"{indent}{field.name}:"
                yield f"{indent}  key: {key}"
                yield from _shown("value", each, indent + "  ")
        elif hasattr(value, "extend"):
            for each in value:
                yield from _shown(field.name, each, indent)
        else:
            yield from _shown(field.name, value, indent)


def _shown(name: str, value: Any, indent: str) -> Iterable[str]:
    if isinstance(value, Message):
        yield f"{indent}{name}:"
        yield from _lines(value, indent + "  ")
    else:
        yield f"{indent}{name}: {value}"


def _whole(value: Any) -> Any:
    """Free data as it was before the wire, which knows no ints."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def constants(enum: Any, doc: str) -> Any:
    """A class with the numbers of an enum of flyteidl as attributes, and `enum_to_string`."""
    numbers = dict(enum.items())
    names = {number: name for name, number in numbers.items()}

    def enum_to_string(cls: Any, value: int) -> Any:
        return names.get(value, "{unknown}")

    name = enum.DESCRIPTOR.name
    return type(name, (), {**numbers, "enum_to_string": classmethod(enum_to_string), "__doc__": doc})
