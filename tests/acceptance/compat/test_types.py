"""Types, the type engine and tables, as tests of programs for flytekit look at them."""

import os
import typing
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from flytekit import FlyteContextManager, StructuredDataset, kwtypes, task, workflow
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.docstring import Docstring
from flytekit.core.interface import (
    extract_return_annotation,
    transform_function_to_interface,
    transform_inputs_to_parameters,
    transform_interface_to_typed_interface,
    transform_variable_map,
)
from flytekit.core.type_engine import RestrictedTypeError, TypeEngine
from flytekit.models.types import SimpleType
from flytekit.tools.translator import get_serializable
from flytekit.types.directory import FlyteDirectory, TensorboardLogs
from flytekit.types.file import FlyteFile, PNGImageFile
from flytekit.types.schema import FlyteSchema, SchemaOpenMode

REMOTE = "s3://somewhere/x"
IMAGE = ImageConfig(Image("main", "example.org/image", "1"))


def template_of(entity: typing.Any) -> typing.Any:
    settings = SerializationSettings(project="p", domain="d", version="v", image_config=IMAGE, env={})
    return get_serializable(OrderedDict(), settings, entity).template


@dataclass
class Inner:
    file: FlyteFile
    image: PNGImageFile


@dataclass
class Outer:
    file: FlyteFile
    inner: Inner
    logs: TensorboardLogs


@dataclass
class Held:
    table: StructuredDataset


@task
def write() -> FlyteSchema[kwtypes(x=int, y=str)]:
    made = FlyteSchema[kwtypes(x=int, y=str)]()
    made.open().write(pd.DataFrame(data={"x": [1, 2], "y": ["3", "4"]}))
    return made


@task
def first_column(s: FlyteSchema[kwtypes(x=int, y=str)]) -> FlyteSchema[kwtypes(x=int)]:
    return s.open().all()[s.column_names()[:-1]]


@pytest.mark.parametrize("restricted", [tuple, tuple[int, str]])
def test_tuples_are_no_inputs(restricted: type) -> None:
    with pytest.raises(RestrictedTypeError):

        @task
        def refused(a: restricted) -> str:
            return a[0]


def test_remote_files_inside_of_dataclasses_are_left_where_they_are() -> None:
    @task
    def make(path: str) -> Outer:
        file = FlyteFile(path)
        return Outer(file, Inner(file, PNGImageFile(path)), TensorboardLogs(path))

    @task
    def look(o: Outer) -> FlyteFile:
        assert o.file.remote_source == o.inner.image.remote_source == REMOTE
        assert o.file.path != REMOTE
        assert not os.path.exists(o.file.path)
        return o.file

    @workflow
    def wf(path: str) -> FlyteFile:
        return look(o=make(path=path))

    out = wf(path=REMOTE)
    assert out.remote_source == REMOTE
    assert not os.path.exists(out.path)


def test_a_table_is_written_where_its_dataset_says(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["Tom"], "age": [20]})

    @task
    def make(path: str) -> Held:
        return Held(StructuredDataset(dataframe=table, uri=path))

    @workflow
    def wf(path: str) -> Held:
        return make(path=path)

    made = wf(path=str(tmp_path / "table"))
    assert made.table.file_format == "parquet"
    assert made.table.open(pd.DataFrame).all().equals(table)
    assert os.listdir(tmp_path / "table")


def test_schemas_are_written_and_read() -> None:
    @workflow
    def wf() -> FlyteSchema[kwtypes(x=int)]:
        return first_column(s=write())

    made = write()
    assert made.open(override_mode=SchemaOpenMode.READ).all()["x"].tolist() == [1, 2]
    read = first_column(s=made.as_readonly()).open(override_mode=SchemaOpenMode.READ)
    assert list(read.all().columns) == ["x"]
    assert list(wf().open().all().columns) == ["x"]


def test_a_schema_is_taken_as_a_frame() -> None:
    @task
    def width(df: pd.DataFrame) -> int:
        return len(df.columns)

    @workflow
    def wf() -> int:
        return width(df=write())

    assert wf() == 2


def test_tables_lose_the_columns_that_are_not_asked_for() -> None:
    columns = kwtypes(name=str, age=int)

    @task
    def frame() -> typing.Annotated[pd.DataFrame, columns]:
        return pd.DataFrame({"name": ["a"], "age": [1]})

    @task
    def schema(df: FlyteSchema[columns]) -> FlyteSchema[columns]:
        return df

    @task
    def names(
        sd: typing.Annotated[StructuredDataset, kwtypes(name=str)],
    ) -> typing.Annotated[pd.DataFrame, kwtypes(name=str)]:
        return sd.open(pd.DataFrame).all()

    @workflow
    def all_of_it() -> pd.DataFrame:
        return schema(df=frame())

    @workflow
    def some_of_it() -> pd.DataFrame:
        return names(sd=schema(df=frame()))

    assert all_of_it().shape == (1, 2)
    assert some_of_it().shape == (1, 1)


def test_an_untyped_dict_is_a_struct_and_guessed_as_dict() -> None:
    @task
    def show(a: dict) -> str:
        return ", ".join(f"{k}{v}" for k, v in a.items())

    @task
    def first(a: list[dict]) -> dict:
        return a[0]

    inputs = template_of(show).interface.inputs
    assert inputs["a"].type.simple == SimpleType.STRUCT
    guessed = TypeEngine.guess_python_type(inputs["a"].type)
    assert guessed is dict
    context = FlyteContextManager.current_context()
    literals = TypeEngine.dict_to_literal_map(context, d={"a": {"k": "v"}}, type_hints={"a": guessed})
    assert show.dispatch_execute(context, literals).literals["o0"].scalar.primitive.string_value == "kv"
    assert TypeEngine.guess_python_types(template_of(first).interface.inputs) == {"a": typing.List[dict]}  # noqa: UP006


def test_a_dict_of_texts_is_no_untyped_dict() -> None:
    @task
    def make(a: int) -> dict[str, str]:
        return {"a": str(a)}

    @task
    def take(a: dict) -> str:
        return "x"

    @workflow
    def wf(a: int) -> str:
        return take(a=make(a=a))

    with pytest.raises(TypeError):
        wf(a=5)


def test_files_and_directories_have_formats() -> None:
    assert TypeEngine.to_literal_type(FlyteFile["txt"]).blob.format == "txt"
    assert FlyteFile["txt"].extension() == "txt"
    assert FlyteFile[typing.TypeVar("jpg")].extension() == "jpg"
    assert FlyteDirectory["csv"].extension() == "csv"
    assert isinstance(FlyteFile["txt"]("a.txt"), FlyteFile)
    assert PNGImageFile.extension() == "png"


def test_annotations_become_interfaces() -> None:
    def two(a: int, b: str) -> (int, str): ...

    def path() -> os.PathLike: ...

    outputs = transform_variable_map(extract_return_annotation(typing.get_type_hints(two)["return"]))
    assert [each.type.simple for each in outputs.values()] == [SimpleType.INTEGER, SimpleType.STRING]
    outputs = transform_variable_map(extract_return_annotation(typing.get_type_hints(path)["return"]))
    assert outputs["o0"].type.blob.dimensionality == 0


def test_parameters_are_required_by_their_defaults_and_described_by_docstrings() -> None:
    def fn(a: int | None = None, b: str = "hello", c: int = 7, d: list[int] = None) -> tuple[int, str]:  # noqa: RUF013
        """Something

        :param c: a number
        :return: two things
        """
        return c, b

    interface = transform_function_to_interface(fn, Docstring(callable_=fn))
    parameters = transform_inputs_to_parameters(FlyteContextManager.current_context(), interface).parameters
    assert [name for name, each in parameters.items() if each.required] == ["d"]
    assert parameters["b"].default.scalar.primitive.string_value == "hello"
    assert parameters["c"].default.scalar.primitive.integer == 7
    typed = transform_interface_to_typed_interface(interface)
    assert typed.inputs["c"].description == "a number"
    assert typed.outputs["o1"].description == "two things"
