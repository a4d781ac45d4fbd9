"""The contract of a Python type whose values are one file each: say how to save and load it, the rest is done.

class WavTransformer(BlobTransformer[Sound]):
    python_type = Sound
    format = "wav"
    suffix = ".wav"

    def save(self, value, path, t):
        value.write(path)

    def load(self, path, t):
        return Sound.read(path)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from alula.data.workspace import read_file, write_file
from alula.errors import ConversionError, ObjectNotFound
from alula.idl import BlobType, Literal, LiteralType
from alula.idl import literals as lits
from alula.types.transformer import Place, Types, TypeTransformer, type_name

T = TypeVar("T")


class BlobTransformer(TypeTransformer[T]):
    """A type whose value is one file, uploaded when written, fetched when read."""

    format: ClassVar[str]
    """Names the kind of content in the literal type, so that only like blobs are wired to each other."""
    suffix: ClassVar[str] = ""
    """Ends the name of the file, dot included."""

    @abstractmethod
    def save(self, value: T, path: Path, t: Any) -> None:
        """Write `value` to the file `path`, which does not exist yet. Runs in a thread."""

    @abstractmethod
    def load(self, path: Path, t: Any) -> T:
        """Read the value from the file `path`, which may be gone afterwards. Runs in a thread."""

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(blob=BlobType(format=self.format, dimensionality=BlobType.SINGLE))

    async def to_literal(self, value: T, t: Any, at: Place) -> Literal:
        uri = at.new_uri(f"/{type_name(self.python_type).rpartition('.')[2].lower()}{self.suffix}")
        await write_file(at.objects, uri, lambda path: self.save(value, path, t))
        return lits.blob(uri, format=self.format)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> T:
        uri = uri_of(lit, t)
        try:
            return await read_file(at.objects, uri, lambda path: self.load(path, t))
        except ObjectNotFound as exc:
            raise ConversionError(
                f"the {type_name(t)} at {uri} is gone", where=uri, fix="run the task that made it again"
            ) from exc


def model_field(
    name: str,
    fields: Mapping[str, tuple[Any, Any]],
    read: Callable[[Any], Any],
    write: Callable[[Any], dict[str, Any]],
    handler: Any,
) -> Any:
    """How pydantic treats a field that holds something stored: an object with these fields, as flytekit has it.

    Args:
        name: The title of the object in JSON schemas.
        fields: Type and default of each field.
        read: A value from what the model was given; raises TypeError, ValueError or LookupError.
        write: The fields of a value.
        handler: What pydantic passed to `__get_pydantic_core_schema__`.
    """
    from pydantic_core import core_schema as core

    def validated(given: Any, _: Any) -> Any:
        try:
            return read(given)
        except (LookupError, TypeError) as exc:
            raise ValueError(f"no {name}: {given!r}") from exc  # the one that pydantic collects

    parts = {
        key: core.typed_dict_field(
            core.with_default_schema(handler.generate_schema(t), default=default), required=False
        )
        for key, (t, default) in fields.items()
    }
    return core.no_info_wrap_validator_function(
        validated,
        core.typed_dict_schema(parts, cls=type(name, (), {}), ref=f"alula.{name}:{name}"),
        serialization=core.plain_serializer_function_ser_schema(write),
    )


def uri_of(lit: Literal, t: Any, *, multipart: bool = False) -> str:
    """Where a blob literal points to.

    Raises:
        ConversionError: it is no blob, or a directory where a file is wanted, or the other way round.
    """
    wanted = "directory" if multipart else "file"
    if lits.kind(lit) != "blob":
        raise ConversionError(
            f"expected a {wanted} for {type_name(t)}, got a literal of kind {lits.kind(lit) or 'none'}"
        )
    found: BlobType = lit.scalar.blob.metadata.type
    if (found.dimensionality == BlobType.MULTIPART) != multipart:
        other = "file" if multipart else "directory"
        raise ConversionError(
            f"expected a {wanted} for {type_name(t)}, got the {other} {lit.scalar.blob.uri}",
            fix=f"declare {'File' if multipart else 'Directory'} on the side that reads it",
        )
    return lit.scalar.blob.uri
