"""A value as JSON, the same in both worlds, so that what one side read can be compared with what the other side read.

Every kind is named, so that `1`, `True` and `1.0` stay apart. Values of neither world's own types are known here;
`File`, `Directory`, `StructuredDataset` and errors come from `dialect.sdk`.
"""

import dataclasses
import datetime
import decimal
import enum
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from dialect import sdk


def canonical(value: Any) -> Any:
    for known in (_plain, _of_containers, _of_records, _of_sdk, _of_libraries):
        found = known(value)
        if found is not None:
            return found
    return {"unknown": f"{type(value).__module__}.{type(value).__qualname__}", "state": canonical(vars(value))}


def _plain(value: Any) -> Any:
    if value is None:
        return {"none": True}
    if isinstance(value, enum.Enum):
        return {"enum": value.value}
    kind = type(value)
    if kind in (bool, str):
        return {kind.__name__: value}
    if kind in (int, float):
        return {kind.__name__: repr(value)}
    if kind in (bytes, bytearray):
        return {"bytes": value.hex()}
    if kind is datetime.datetime:
        aware = value.tzinfo is not None
        return {"datetime": (value.astimezone(datetime.UTC) if aware else value).isoformat()}
    if isinstance(value, PurePath):
        return {"path": str(value)}
    if kind in (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID):
        return {kind.__name__: str(value)}
    return None


def _of_containers(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = [[canonical(k), canonical(v)] for k, v in value.items()]
        return {"dict": sorted(pairs, key=repr)}
    if isinstance(value, tuple):
        return {"tuple": [canonical(v) for v in value]}
    if isinstance(value, list):
        return {"list": [canonical(v) for v in value]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((canonical(v) for v in value), key=repr)}
    return None


def _of_records(value: Any) -> Any:
    if isinstance(value, (sdk.File, sdk.Directory, sdk.StructuredDataset, sdk.Error)):
        return None
    if dataclasses.is_dataclass(value):
        fields = {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"dataclass": type(value).__name__, "fields": fields}
    if hasattr(type(value), "model_fields"):
        return {"model": type(value).__name__, "fields": {k: canonical(v) for k, v in value}}
    if hasattr(value, "DESCRIPTOR"):
        return {"message": value.DESCRIPTOR.full_name, "hex": value.SerializeToString(deterministic=True).hex()}
    return None


def _of_sdk(value: Any) -> Any:
    if isinstance(value, sdk.Error):
        return {"error": value.message, "node": value.failed_node_id}
    if isinstance(value, sdk.Directory):
        root = Path(os.fspath(value))
        files = sorted(p for p in root.rglob("*") if p.is_file())
        return {"directory": {str(p.relative_to(root)): p.read_bytes().hex() for p in files}}
    if isinstance(value, os.PathLike):
        return {"file": Path(os.fspath(value)).read_bytes().hex()}
    if isinstance(value, sdk.StructuredDataset):
        import pandas as pd

        return {"dataset": canonical(value.open(pd.DataFrame).all())}
    if isinstance(value, Iterator) or type(value).__name__ in ("FlyteIterator", "Values", "JSONIterator"):
        return {"iterator": [canonical(v) for v in value]}
    return None


def _of_libraries(value: Any) -> Any:
    library = type(value).__module__.partition(".")[0]
    if library == "pandas":
        types = {c: str(t) for c, t in value.dtypes.items()}
        return {"frame": {c: [canonical(v) for v in value[c].tolist()] for c in value}, "types": types}
    if library == "pyarrow":
        return {"table": canonical(value.to_pydict()), "schema": {f.name: str(f.type) for f in value.schema}}
    if library == "polars":
        frame = value.collect() if hasattr(value, "collect") else value
        return {"polars": canonical(frame.to_dict(as_series=False))}
    if library == "numpy":
        return {"array": canonical(value.tolist()), "type": str(value.dtype), "shape": list(value.shape)}
    if library == "PIL":
        return {"image": hashlib.sha256(value.tobytes()).hexdigest(), "mode": value.mode, "size": list(value.size)}
    if library == "sklearn":
        return {"estimator": type(value).__name__, "state": canonical(vars(value))}
    if library == "torch":
        if hasattr(value, "state_dict"):
            return {"module": {k: canonical(v) for k, v in value.state_dict().items()}}
        return {"tensor": canonical(value.tolist()), "type": str(value.dtype)}
    return None
