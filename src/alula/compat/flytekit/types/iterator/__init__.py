"""Values that come one after the other."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.types.jsonlines": "JSON", "collections.abc": "FlyteIterator=Iterator"})
