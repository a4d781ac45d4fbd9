"""What has moved to flytekit's top level."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.task": "eager",
        "alula.compat.flytekit.exceptions.eager": "EagerException",
        "alula.compat.flytekit.core.array_node_map_task": "map_task",
    },
)
