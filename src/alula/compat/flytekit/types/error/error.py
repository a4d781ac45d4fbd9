"""The error that a failure handler is given, at the path where flytekit defines it."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.types.errors": "FlyteError=TaskError"})
