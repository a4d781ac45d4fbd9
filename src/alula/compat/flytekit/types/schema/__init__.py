"""Tables with typed columns, in flytekit's older form."""

from alula.compat.names import mirror

_HERE = "alula.compat.flytekit.types.schema.types"
__getattr__, __dir__ = mirror(
    __name__, {_HERE: "FlyteSchema SchemaFormat SchemaOpenMode SchemaReader SchemaWriter SchemaEngine SchemaHandler"}
)
