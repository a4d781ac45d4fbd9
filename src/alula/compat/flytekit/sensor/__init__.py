"""Tasks that wait."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.tasks.sensor": "BaseSensor FileSensor"})
