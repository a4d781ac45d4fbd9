"""`FlytePickle[T]`: values of any class, pickled because the annotation says so."""

from __future__ import annotations

from typing import Annotated, Any

from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.names import mirror
from alula.types.pickle import PickleTransformer


class FlytePickle:
    """In an annotation: pickle the value."""

    __alula_type__ = Annotated[Any, PickleTransformer()]

    def __class_getitem__(cls, t: Any) -> Any:
        return Annotated[(t, PickleTransformer())]


class FlytePickleTransformer(LentTransformer):
    PYTHON_PICKLE_FORMAT = "PythonPickle"
    serves = FlytePickle


__getattr__, __dir__ = mirror(__name__, {})
