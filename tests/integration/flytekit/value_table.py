"""Values of every type family, for conversion by both worlds and back.

A row says what flytekit and Alula are expected to agree on. Where they disagree on purpose, the row says why:
a reason in `type_differs`, `literal_differs`, `refused_by_flytekit`, ... is part of the table, never a skipped test.
"""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP007, UP035, UP045

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Dict, Iterator, List, Literal, Optional, Tuple, Union
from uuid import UUID

import value_classes as c
from dialect import sdk

NOON = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    name: str
    type: Callable[[], Any]
    """The declared type; called in each world, since some types are the world's own."""
    value: Callable[[Path], Any]
    """A fresh value; the argument is an empty directory for the files that it needs."""
    type_differs: str = ""
    """Why the literal types are not the same."""
    literal_differs: str = ""
    """Why the literals are not the same."""
    refused_by_flytekit: str = ""
    """Why flytekit has no literal type, or no literal, for it."""
    refused_by_alula: str = ""
    unread_by_flytekit: str = ""
    """Why flytekit does not read Alula's literal."""
    unread_by_itself: str = ""
    """Why flytekit does not even read its own literal."""
    unread_by_alula: str = ""
    """Why Alula does not read flytekit's literal."""
    no_guess: str = ""
    """Why Alula guesses no Python type for flytekit's literal type."""


TUPLE: Any = {"refused_by_flytekit": "a tuple names several outputs there, and is no value"}
UNDECLARED: Any = {
    "refused_by_alula": "pickling must be asked for by an annotation",
    "no_guess": "what is pickled is unpickled only where the declaration says so",
}
PICKLED_THERE: Any = {
    "type_differs": "flytekit pickles it, Alula packs it",
    "literal_differs": "flytekit pickles it, Alula packs it",
    "unread_by_flytekit": "flytekit expects a pickle",
    "unread_by_alula": "what is pickled is unpickled only where the declaration says so",
    "no_guess": "what is pickled is unpickled only where the declaration says so",
}


def rows() -> list[Row]:
    return [
        *_simple(),
        *_collections(),
        *_unions(),
        *_records(),
        *_models(),
        *_blobs(),
        *_frames(),
        *_arrays(),
        *_rest(),
    ]


def _simple() -> list[Row]:
    east = timezone(timedelta(hours=2))
    return [
        Row("int", lambda: int, lambda d: 42),
        Row("int_zero", lambda: int, lambda d: 0),
        Row("int_negative", lambda: int, lambda d: -7),
        Row("int_max", lambda: int, lambda d: 2**63 - 1),
        Row("int_min", lambda: int, lambda d: -(2**63)),
        Row("float", lambda: float, lambda d: 3.25),
        Row("float_zero", lambda: float, lambda d: 0.0),
        Row("float_tiny", lambda: float, lambda d: 5e-324),
        Row("float_inf", lambda: float, lambda d: float("-inf")),
        Row("float_nan", lambda: float, lambda d: float("nan")),
        Row("str", lambda: str, lambda d: "hello"),
        Row("str_empty", lambda: str, lambda d: ""),
        Row("str_unicode", lambda: str, lambda d: "zażółć 🜂 \n\t\x00"),
        Row("bool_true", lambda: bool, lambda d: True),
        Row("bool_false", lambda: bool, lambda d: False),
        Row("none", lambda: type(None), lambda d: None),
        Row("datetime_aware", lambda: datetime, lambda d: NOON),
        Row("datetime_east", lambda: datetime, lambda d: NOON.astimezone(east)),
        Row("datetime_naive", lambda: datetime, lambda d: datetime(2024, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - naive on purpose
        Row("datetime_old", lambda: datetime, lambda d: datetime(1901, 1, 1, tzinfo=UTC)),
        Row("date", lambda: date, lambda d: date(2024, 2, 29)),
        Row("timedelta", lambda: timedelta, lambda d: timedelta(days=3, seconds=4)),
        Row("timedelta_negative", lambda: timedelta, lambda d: timedelta(seconds=-5, microseconds=-7)),
        Row("timedelta_micros", lambda: timedelta, lambda d: timedelta(microseconds=1)),
        Row("enum", lambda: c.Color, lambda d: c.Color.BLUE),
        Row("enum_of_str", lambda: c.Size, lambda d: c.Size.LARGE),
        Row(
            "enum_of_int",
            lambda: c.Level,
            lambda d: c.Level.HIGH,
            refused_by_flytekit="only strings are values of enums",
            refused_by_alula="as in flytekit",
        ),
        Row("literal_str", lambda: Literal["a", "b"], lambda d: "b"),
        Row("literal_int", lambda: Literal[1, 2], lambda d: 2),
        Row("bytes", lambda: bytes, lambda d: b"\x00\xffbytes"),
    ]


def _collections() -> list[Row]:
    return [
        Row("list", lambda: List[int], lambda d: [1, 2, 3]),
        Row("list_lower", lambda: list[str], lambda d: ["a", ""]),
        Row("list_empty", lambda: List[int], lambda d: []),
        Row("list_nested", lambda: List[List[float]], lambda d: [[1.5], [], [2.0, 3.0]]),
        Row(
            "list_bare",
            lambda: list,
            lambda d: [1],
            refused_by_flytekit="it does not say what it holds",
            refused_by_alula="as in flytekit",
        ),
        Row("list_enum", lambda: List[c.Color], lambda d: [c.Color.RED, c.Color.BLUE]),
        Row("list_datetime", lambda: List[datetime], lambda d: [NOON]),
        Row("list_annotated", lambda: Annotated[List[int], "ignored"], lambda d: [4, 5]),
        Row("list_dict", lambda: List[Dict[str, int]], lambda d: [{"a": 1}, {}]),
        Row("dict", lambda: Dict[str, int], lambda d: {"b": 2, "a": 1}),
        Row("dict_lower", lambda: dict[str, str], lambda d: {"k": "v"}),
        Row("dict_empty", lambda: Dict[str, int], lambda d: {}),
        Row("dict_nested", lambda: Dict[str, Dict[str, List[int]]], lambda d: {"a": {"b": [1]}, "c": {}}),
        Row("dict_int_keys", lambda: Dict[int, str], lambda d: {1: "one", -2: "two"}),
        Row("dict_bare", lambda: dict, lambda d: {"a": 1, "b": [1.5, None, {"c": True}]}),
        Row("dict_bare_typing", lambda: Dict, lambda d: {"a": "b"}),
        Row("tuple", lambda: Tuple[int, str], lambda d: (1, "a"), **TUPLE),
        Row("tuple_lower", lambda: tuple[int, ...], lambda d: (1, 2), **TUPLE),
        Row("named_tuple", lambda: c.Pair, lambda d: c.Pair(1, "r"), **TUPLE),
        Row("set", lambda: set[int], lambda d: {1, 2}, **PICKLED_THERE),
    ]


def _unions() -> list[Row]:
    return [
        Row("optional_set", lambda: Optional[int], lambda d: 3),
        Row("optional_none", lambda: Optional[int], lambda d: None),
        Row("optional_list", lambda: Optional[List[int]], lambda d: [1, 2]),
        Row("optional_dataclass", lambda: Optional[c.Flat], lambda d: c.Flat(1, 2.5, "c", True)),
        Row("optional_file", lambda: Optional[sdk.File], lambda d: sdk.File(_file(d))),
        Row("union_int", lambda: Union[int, str, float], lambda d: 5),
        Row("union_str", lambda: Union[int, str, float], lambda d: "five"),
        Row("union_float", lambda: Union[int, str, float], lambda d: 5.5),
        Row("union_bool", lambda: Union[int, bool], lambda d: True),
        Row("union_pep604", lambda: int | None | str, lambda d: "x"),
        Row("union_list_or_one", lambda: Union[List[int], int], lambda d: [1]),
        Row("union_enum_str", lambda: Union[c.Color, str], lambda d: c.Color.RED),
        Row("union_dataclasses", lambda: Union[c.Flat, c.Frozen], lambda d: c.Frozen(1)),
        Row(
            "union_same_shape",
            lambda: Union[c.Flat, c.OtherFlat],
            lambda d: c.OtherFlat(1, 2.5, "c", True),
            refused_by_flytekit="it tells dataclasses apart by their shape; Alula by the class of the value",
        ),
        Row("union_datetime", lambda: Union[datetime, timedelta, None], lambda d: timedelta(1)),
        Row("list_of_union", lambda: List[Union[int, str]], lambda d: [1, "b", 3]),
        Row("dict_of_optional", lambda: Dict[str, Optional[int]], lambda d: {"a": None, "b": 1}),
        Row("union_of_one_annotated", lambda: Annotated[Optional[int], "note"], lambda d: 8),
    ]


def _records() -> list[Row]:
    flat = c.Flat(1, 2.5, "c", True)
    return [
        Row("dataclass", lambda: c.Flat, lambda d: flat),
        Row("dataclass_whole_float", lambda: c.Flat, lambda d: c.Flat(2**53 + 1, 2.0, "", False)),
        Row("dataclass_nested", lambda: c.Nested, lambda d: c.Nested("n", flat, [flat], {"k": flat})),
        Row(
            "dataclass_rich",
            lambda: c.Rich,
            lambda d: c.Rich(
                c.Color.BLUE, NOON, date(2024, 1, 2), timedelta(seconds=90.5), None, "s", [[1], []], {"a": [1.0]}
            ),
        ),
        Row("dataclass_wide", lambda: c.Wide, lambda d: _wide()),
        Row("dataclass_defaults", lambda: c.Defaults, lambda d: c.Defaults()),
        Row("dataclass_defaults_set", lambda: c.Defaults, lambda d: c.Defaults(1, "x", 2.5, [1], {"a": 2})),
        Row("dataclass_tuple", lambda: c.WithTuple, lambda d: c.WithTuple((1, "a"), (1, 2, 3))),
        Row("dataclass_int_keys", lambda: c.IntKeys, lambda d: c.IntKeys({1: "one"})),
        Row("dataclass_frozen", lambda: c.Frozen, lambda d: c.Frozen(3)),
        Row("dataclass_child", lambda: c.Child, lambda d: c.Child(1, 2.5, "c", True, ["e"])),
        Row("dataclass_generic", lambda: c.Box[int], lambda d: c.Box(5, 2), **PICKLED_THERE),
        Row("dataclass_generic_field", lambda: c.Holder, lambda d: c.Holder(c.Box(5))),
        Row(
            "dataclass_recursive",
            lambda: c.Recursive,
            lambda d: c.Recursive(1, [c.Recursive(2)]),
            refused_by_flytekit="a schema without end",
            refused_by_alula="as in flytekit",
        ),
        Row("dataclass_file", lambda: c.WithFile, lambda d: c.WithFile("l", sdk.File(_file(d)))),
        Row(
            "dataclass_files",
            lambda: c.WithFiles,
            lambda d: c.WithFiles([sdk.File(_file(d))], {"x": sdk.File(_file(d, "x.txt"))}),
        ),
        Row("dataclass_directory", lambda: c.WithDirectory, lambda d: c.WithDirectory(sdk.Directory(_folder(d)))),
        Row(
            "dataclass_dataset",
            lambda: c.WithDataset,
            lambda d: c.WithDataset(sdk.StructuredDataset(dataframe=_frame())),
        ),
        Row("dataclass_list", lambda: List[c.Flat], lambda d: [flat, flat]),
        Row("dataclass_dict", lambda: Dict[str, c.Frozen], lambda d: {"a": c.Frozen(1)}),
    ]


def _models() -> list[Row]:
    return [
        Row("model", lambda: c.Model, lambda d: c.Model(a=1, c="x")),
        Row("model_defaults", lambda: c.Model, lambda d: c.Model(a=2)),
        Row(
            "model_nested",
            lambda: c.DeepModel,
            lambda d: c.DeepModel(name="n", model=c.Model(a=1), models=[c.Model(a=2, b=2.0)], named={"z": 1}),
        ),
        Row(
            "model_rich",
            lambda: c.RichModel,
            lambda d: c.RichModel(color=c.Color.RED, at=NOON, span=timedelta(hours=1)),
        ),
        Row(
            "model_file",
            lambda: c.model_with_file(),
            lambda d: c.model_with_file()(label="l", source=sdk.File(_file(d))),
        ),
        Row("model_list", lambda: List[c.Model], lambda d: [c.Model(a=1), c.Model(a=2)]),
        Row("model_optional", lambda: Optional[c.Model], lambda d: c.Model(a=1)),
    ]


def _blobs() -> list[Row]:
    return [
        Row("file", lambda: sdk.File, lambda d: sdk.File(_file(d))),
        Row("file_csv", lambda: sdk.File["csv"], lambda d: sdk.File["csv"](_file(d, "t.csv", "a,b\n1,2\n"))),
        Row("file_annotated", lambda: Annotated[sdk.File, sdk.HashMethod(_fixed_hash)], lambda d: sdk.File(_file(d))),
        Row("file_list", lambda: List[sdk.File], lambda d: [sdk.File(_file(d)), sdk.File(_file(d, "b.txt"))]),
        Row("directory", lambda: sdk.Directory, lambda d: sdk.Directory(_folder(d))),
        Row("directory_csv", lambda: sdk.Directory["csv"], lambda d: sdk.Directory["csv"](_folder(d))),
    ]


def _frames() -> list[Row]:
    def arrow() -> Any:
        import pyarrow as pa

        return pa.Table

    def arrow_value(d: Path) -> Any:
        import pyarrow as pa

        return pa.table({"a": [1, 2], "b": ["x", None]})

    columns = {"a": int, "b": str}
    return [
        Row("dataset_pandas", lambda: sdk.StructuredDataset, lambda d: sdk.StructuredDataset(dataframe=_frame())),
        Row(
            "dataset_columns",
            lambda: Annotated[sdk.StructuredDataset, sdk.kwtypes(**columns)],
            lambda d: sdk.StructuredDataset(dataframe=_frame()),
        ),
        Row(
            "dataset_csv",
            lambda: Annotated[sdk.StructuredDataset, "csv"],
            lambda d: sdk.StructuredDataset(dataframe=_frame()),
        ),
        Row("frame", _frame_type, lambda d: _frame()),
        Row("frame_columns", lambda: Annotated[_frame_type(), sdk.kwtypes(**columns)], lambda d: _frame()),
        Row("frame_hashed", lambda: Annotated[_frame_type(), sdk.HashMethod(_fixed_hash)], lambda d: _frame()),
        Row("frame_list", lambda: List[_frame_type()], lambda d: [_frame(), _frame()]),  # type: ignore[misc]
        Row("arrow", arrow, arrow_value),
    ]


def _arrays() -> list[Row]:
    import numpy as np

    def image(d: Path) -> Any:
        from PIL import Image

        return Image.new("RGB", (4, 3), (10, 200, 30))

    def image_type() -> Any:
        from PIL import Image

        return Image.Image

    def tensor(d: Path) -> Any:
        import torch

        return torch.tensor([[1.0, 2.0], [3.0, 4.5]])

    def module(d: Path) -> Any:
        import torch

        made = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(made.weight, 0.5)
        torch.nn.init.zeros_(made.bias)
        return made

    def estimator(d: Path) -> Any:
        from sklearn.linear_model import LinearRegression

        return LinearRegression().fit(np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 2.0, 4.0]))

    def torch_type(name: str) -> Any:
        import torch

        return {"Tensor": torch.Tensor, "Module": torch.nn.Module}[name]

    def estimator_type() -> Any:
        from sklearn.linear_model import LinearRegression

        return LinearRegression

    return [
        Row("numpy", lambda: np.ndarray, lambda d: np.arange(6, dtype=np.int32).reshape(2, 3)),
        Row("numpy_float", lambda: np.ndarray, lambda d: np.array([1.5, float("inf")])),
        Row("image", image_type, image),
        Row("tensor", lambda: torch_type("Tensor"), tensor),
        Row(
            "module",
            lambda: torch_type("Module"),
            module,
            unread_by_itself="it loads weights only, which torch 2.6 and later refuse",
            unread_by_flytekit="the same",
        ),
        Row("estimator", estimator_type, estimator),
    ]


def _rest() -> list[Row]:
    from flyteidl.core import identifier_pb2
    from google.protobuf import struct_pb2

    def struct(d: Path) -> Any:
        made = struct_pb2.Struct()
        made.update({"a": 1.5, "b": ["x", None], "c": {"d": True}})
        return made

    def values(d: Path) -> Any:
        made = struct_pb2.ListValue()
        made.extend([1.0, "two"])
        return made

    return [
        Row("protobuf_struct", lambda: struct_pb2.Struct, struct),
        Row(
            "protobuf_list",
            lambda: struct_pb2.ListValue,
            values,
            unread_by_itself="it writes a list, and expects a struct",
            unread_by_flytekit="the same",
        ),
        Row(
            "protobuf_message",
            lambda: identifier_pb2.Identifier,
            lambda d: identifier_pb2.Identifier(resource_type=identifier_pb2.WORKFLOW, project="p", name="n"),
        ),
        Row("iterator", lambda: Iterator[int], lambda d: iter([1, 2, 3])),
        Row("iterator_json", lambda: Iterator[sdk.JSON], lambda d: iter([{"a": 1}, [2, None], "x", 4])),
        Row("error", lambda: sdk.Error, lambda d: sdk.Error(message="it broke", failed_node_id="n3")),
        Row("hashed", lambda: Annotated[int, sdk.HashMethod(_fixed_hash)], lambda d: 3),
        Row("hashed_in_list", lambda: List[Annotated[str, sdk.HashMethod(_fixed_hash)]], lambda d: ["a", "b"]),
        Row("annotated", lambda: Annotated[int, sdk.Annotation({"unit": "m"})], lambda d: 3),
        Row("path_like", lambda: os.PathLike, lambda d: _file(d)),
        Row(
            "pickle",
            lambda: sdk.Pickle[c.Plain],
            lambda d: c.Plain(3),
            type_differs="flytekit names a class of its own",
            no_guess=UNDECLARED["no_guess"],
        ),
        Row("any", lambda: Any, lambda d: {"k": (1, 2)}, **UNDECLARED),
        Row("unknown_class", lambda: c.Plain, lambda d: c.Plain(4), **UNDECLARED),
    ]


def _wide() -> c.Wide:
    return c.Wide(
        raw=b"\x00\xff",
        clock=time(1, 2),
        level=c.Level.HIGH,
        anything="x",
        some=[1, "a"],
        named={"a": 1.5},
        tags={"a"},
        key=UUID(int=7),
        maybe_key=None,
        price=Decimal("1.10"),
        path=Path("a/b"),
        pairs=[(1, 2)],
        names={"first": "f"},
        bare={"a": {"b": 1}},
    )


def _file(d: Path, name: str = "a.txt", text: str = "some text\n") -> str:
    (d / name).write_text(text)
    return str(d / name)


def _folder(d: Path) -> str:
    (d / "folder" / "deeper").mkdir(parents=True, exist_ok=True)
    (d / "folder" / "one.csv").write_text("a\n1\n")
    (d / "folder" / "deeper" / "two.csv").write_text("a\n2\n")
    return str(d / "folder")


def _frame_type() -> Any:
    import pandas as pd

    return pd.DataFrame


def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})


def _fixed_hash(value: Any) -> str:
    return f"hash-of-{type(value).__name__.removeprefix('Flyte')}"
