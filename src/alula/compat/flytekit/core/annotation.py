"""Free annotations of types."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.types.registry": "FlyteAnnotation=Annotation"})
