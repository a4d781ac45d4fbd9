"""flytekit's types beyond Python's own."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {})
