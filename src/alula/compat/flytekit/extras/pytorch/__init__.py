"""Alula's own transformers serve these types."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.types.torch": "PyTorchCheckpoint PyTorchTensorTransformer=TensorTransformer "
        "PyTorchModuleTransformer=ModuleTransformer PyTorchCheckpointTransformer=CheckpointTransformer"
    },
)
