"""`FlytePickle[T]`: values of any class, pickled because the annotation says so."""

from __future__ import annotations

from typing import Any

from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.names import mirror
from alula.types.pickle import Pickle


class FlytePickle:
    """In an annotation: pickle the value."""

    __alula_type__ = Pickle[Any]

    def __class_getitem__(cls, t: Any) -> Any:
        return Pickle[t]  # type: ignore[valid-type]


class FlytePickleTransformer(LentTransformer):
    PYTHON_PICKLE_FORMAT = "PythonPickle"
    serves = FlytePickle


__getattr__, __dir__ = mirror(__name__, {})
