"""Iterators of JSON lines, at the path where flytekit defines them."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.types.jsonlines": "JSON"})
