"""`numpy.ndarray` as a `.npy` file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from alula.data.workspace import fetch
from alula.errors import ConversionError
from alula.idl import BlobType, Literal, LiteralType
from alula.types.blob import BlobTransformer, uri_of
from alula.types.transformer import Place, Types, TypeTransformer, split

Array = npt.NDArray[Any]

_PICKLE_FIX = "annotate with kwtypes(allow_pickle=True), which loads any code that is in the file; or use another dtype"


class ArrayTransformer(BlobTransformer[Array]):
    """An array of any shape. Arrays of Python objects are pickled, so only if the annotation asks for that.

    `Annotated[np.ndarray, kwtypes(allow_pickle=True)]` allows pickle; `kwtypes(mmap_mode="r")` maps the file instead
    of loading it.
    """

    python_type: ClassVar[Any] = np.ndarray
    name = "Numpy Array"
    format = "NumpyArray"
    suffix = ".npy"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        _options(t)
        return super().literal_type(t, types)

    def save(self, value: Array, path: Path, t: Any) -> None:
        allowed = bool(_options(t).get("allow_pickle", False))
        if value.dtype.hasobject and not allowed:
            raise ConversionError(f"an array of dtype {value.dtype} can only be stored as pickle", fix=_PICKLE_FIX)
        with open(path, "wb") as out:  # given a name, numpy would add a suffix of its own
            np.save(out, value, allow_pickle=allowed)

    def load(self, path: Path, t: Any) -> Array:
        options = _options(t)
        try:
            loaded: Array = np.load(
                path, allow_pickle=bool(options.get("allow_pickle", False)), mmap_mode=options.get("mmap_mode")
            )
        except (ValueError, EOFError, OSError) as exc:
            fix = _PICKLE_FIX if "allow_pickle" in str(exc) else "check who wrote the file"
            raise ConversionError(f"the file is no array that can be read: {exc}", where=path.name, fix=fix) from exc
        return loaded

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Array:
        if _options(t).get("mmap_mode") is None:
            return await super().to_python(lit, t, at)
        mode = _options(t)["mmap_mode"]
        if mode not in ("r", "c"):
            raise ConversionError(f"mmap_mode {mode!r} would change what is stored", fix="use 'r' or 'c'")
        return self.load(await fetch(at.objects, uri_of(lit, t)), t)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        mine = lt.blob.format == self.format and lt.blob.dimensionality == BlobType.SINGLE
        return np.ndarray if mine else None


def _options(t: Any) -> Mapping[str, Any]:
    """What `kwtypes(...)` in the annotation says."""
    return next((item for item in split(t)[1] if isinstance(item, Mapping)), {})


transformers: list[TypeTransformer[Any]] = [ArrayTransformer()]
