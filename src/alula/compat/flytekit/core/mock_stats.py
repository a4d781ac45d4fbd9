"""Metrics that go nowhere."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.sdk.stats": "MockStats=Stats"})
