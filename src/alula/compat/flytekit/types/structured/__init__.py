"""Tables: data frames, their encoders and decoders."""

from alula.compat.names import mirror

_HERE = "alula.compat.flytekit.types.structured.structured_dataset"
__getattr__, __dir__ = mirror(
    __name__,
    {
        _HERE: "StructuredDataset StructuredDatasetDecoder StructuredDatasetEncoder "
        "StructuredDatasetTransformerEngine StructuredDatasetFormat StructuredDatasetMetadata"
    },
)
