"""Hashes of values, for caching."""

from alula.compat.names import mirror


class HashOnReferenceMixin:
    """Hashes an object by which one it is."""

    def __hash__(self) -> int:
        return id(self)


__getattr__, __dir__ = mirror(__name__, {"alula.types.transformer": "HashMethod"})
