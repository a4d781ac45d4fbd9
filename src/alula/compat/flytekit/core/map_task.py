"""Map tasks, at their former path."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.core.array_node_map_task": "map_task"})
