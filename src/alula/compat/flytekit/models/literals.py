"""flytekit's models of values."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.flytekit.models.types import Error, LiteralType, OutputReference, SchemaType, StructuredDatasetType
from alula.compat.model import Model
from alula.compat.names import mirror


class _OneOf:
    """A message of which one field is set: that field's value."""

    fields: tuple[str, ...]

    @property
    def value(self) -> Any:
        return next((each for name in self.fields[:9] if (each := getattr(self, name)) is not None), None)


class RetryStrategy(Model, idl=idl.RetryStrategy, fields="retries"): ...


class Primitive(
    _OneOf, Model, idl=idl.Primitive, fields="integer float_value string_value boolean datetime duration"
): ...


class Binary(Model, idl=idl.Binary, fields="value tag"): ...


class BlobMetadata(Model, idl=idl.BlobMetadata, fields="type"): ...


class Blob(Model, idl=idl.Blob, fields="metadata uri"): ...


class Void(Model, idl=idl.Void): ...


class BindingDataMap(Model, idl=idl.BindingDataMap, fields="bindings"): ...


class BindingDataCollection(Model, idl=idl.BindingDataCollection, fields="bindings"): ...


class BindingData(_OneOf, Model, idl=idl.BindingData, fields="scalar collection promise map"): ...


class Binding(Model, idl=idl.Binding, fields="var binding"): ...


class Schema(Model, idl=idl.Schema, fields="uri type"): ...


class Union(Model, idl=idl.Union, fields="value stored_type", renamed={"stored_type": "type"}): ...


class StructuredDatasetMetadata(Model, idl=idl.StructuredDatasetMetadata, fields="structured_dataset_type"): ...


class StructuredDataset(Model, idl=idl.StructuredDataset, fields="uri metadata"): ...


class LiteralCollection(Model, idl=idl.LiteralCollection, fields="literals"): ...


class LiteralMap(Model, idl=idl.LiteralMap, fields="literals"): ...


class Scalar(
    _OneOf,
    Model,
    idl=idl.Scalar,
    fields="primitive blob binary schema union none_type error generic structured_dataset",
): ...


class LiteralOffloadedMetadata(Model, idl=idl.LiteralOffloadedMetadata, fields="uri size_bytes inferred_type"): ...


class Literal(
    Model, idl=idl.Literal, fields="scalar collection map hash metadata offloaded_metadata", blank="hash metadata"
):
    @property
    def value(self) -> Any:
        return next((each for each in (self.scalar, self.collection, self.map) if each is not None), None)

    def set_metadata(self, metadata: dict[str, str]) -> None:
        self.metadata = metadata


__getattr__, __dir__ = mirror(__name__, {})
