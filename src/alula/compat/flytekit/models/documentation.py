"""Descriptions: Alula's own classes."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.sdk.docs": "Description Documentation SourceCode"})
