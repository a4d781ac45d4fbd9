"""Arrays, at the path where flytekit defines their transformer."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.types.numpy": "NumpyArrayTransformer=ArrayTransformer"})
