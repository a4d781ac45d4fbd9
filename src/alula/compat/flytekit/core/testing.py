"""Stand-ins for tests."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.testing": "task_mock patch"})
