"""scikit-learn estimators as joblib files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import BaseEstimator

from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType
from alula.types.blob import BlobTransformer
from alula.types.transformer import Types, TypeTransformer, split, wrong_type

_UNREADABLE = (pickle.UnpicklingError, LookupError, EOFError, ValueError, TypeError, AttributeError, ImportError)
"""What a damaged pickle raises, or one of classes that this Python does not have."""
_SAME = "read it with the packages and versions that wrote it"


class EstimatorTransformer(BlobTransformer[BaseEstimator]):
    """An estimator, fitted or not; declare its class, or `BaseEstimator`.

    joblib is pickle, and reading a pickle runs the code that it names. Declaring an estimator is asking for that: read
    only what your own tasks wrote.
    """

    python_type = BaseEstimator
    name = "Sklearn Estimator"
    format = "SklearnEstimator"
    suffix = ".joblib"

    def save(self, value: BaseEstimator, path: Path, t: Any) -> None:
        try:
            joblib.dump(value, path)
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as exc:
            raise ConversionError(
                f"{value!r} cannot be pickled: {exc}", fix="use functions of a module in place of lambdas"
            ) from exc

    def load(self, path: Path, t: Any) -> BaseEstimator:
        try:
            value = joblib.load(path)
        except _UNREADABLE as exc:
            raise ConversionError(f"the file holds no estimator: {exc!r}", where=path.name, fix=_SAME) from exc
        if not isinstance(value, split(t)[0]):
            raise wrong_type(value, t)
        return value

    def guess(self, lt: LiteralType, types: Types) -> Any:
        mine = lt.blob.format == self.format and lt.blob.dimensionality == BlobType.SINGLE
        return BaseEstimator if mine else None


transformers: list[TypeTransformer[Any]] = [EstimatorTransformer()]
