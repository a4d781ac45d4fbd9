"""A type with a transformer of its own, as files and as a plain literal, and with generics."""

import os
import tempfile
from typing import Annotated, Type

from flytekit import Blob, BlobMetadata, BlobType, FlyteContext, Literal, LiteralType, Scalar, task, workflow
from flytekit.core.context_manager import FlyteContextManager
from flytekit.extend import TypeEngine, TypeTransformer
from flytekit.models import literals as lit
from flytekit.models import types as t


class MyDataset:
    def __init__(self, base_dir: str = None):
        self._tmp_dir_context = None if base_dir else tempfile.TemporaryDirectory()
        self._tmp_dir = base_dir if base_dir else self._tmp_dir_context.name
        self._files = sorted(os.listdir(base_dir)) if base_dir else []

    @property
    def base_dir(self) -> str:
        return self._tmp_dir

    @property
    def files(self):
        return self._files

    def new_file(self, name: str) -> str:
        self._files.append(name)
        return os.path.join(self._tmp_dir, name)

    def __eq__(self, other):
        return self._files == other._files


class MyDatasetTransformer(TypeTransformer[MyDataset]):
    _TYPE_INFO = BlobType(format="binary", dimensionality=BlobType.BlobDimensionality.MULTIPART)

    def __init__(self):
        super().__init__(name="mydataset-transform", t=MyDataset)

    def get_literal_type(self, t: Type[MyDataset]) -> LiteralType:
        return LiteralType(blob=self._TYPE_INFO)

    def to_literal(
        self, ctx: FlyteContext, python_val: MyDataset, python_type: Type[MyDataset], expected: LiteralType
    ) -> Literal:
        remote_dir = ctx.file_access.get_random_remote_directory()
        ctx.file_access.upload_directory(python_val.base_dir, remote_dir)
        return Literal(scalar=Scalar(blob=Blob(uri=remote_dir, metadata=BlobMetadata(type=self._TYPE_INFO))))

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Type[MyDataset]) -> MyDataset:
        local_dir = ctx.file_access.get_random_local_directory()
        ctx.file_access.download_directory(lv.scalar.blob.uri, local_dir)
        return MyDataset(base_dir=local_dir)


TypeEngine.register(MyDatasetTransformer())


class Celsius:
    def __init__(self, degrees: float):
        self.degrees = degrees


class CelsiusTransformer(TypeTransformer[Celsius]):
    def __init__(self):
        super().__init__("celsius", Celsius)

    def get_literal_type(self, typ: Type[Celsius]) -> t.LiteralType:
        return t.LiteralType(simple=t.SimpleType.FLOAT)

    def to_literal(self, ctx, python_val, python_type, expected) -> lit.Literal:
        return lit.Literal(scalar=lit.Scalar(primitive=lit.Primitive(float_value=python_val.degrees)))

    def to_python_value(self, ctx, lv, expected_python_type) -> Celsius:
        return Celsius(lv.scalar.primitive.float_value)


TypeEngine.register(CelsiusTransformer())


class Kelvin:
    def __init__(self, k):
        self.k = k


class KelvinText(TypeTransformer[Kelvin]):
    def __init__(self):
        super().__init__("kelvin-text", Kelvin)

    def get_literal_type(self, typ) -> t.LiteralType:
        return t.LiteralType(simple=t.SimpleType.STRING)

    def to_literal(self, ctx, python_val, python_type, expected) -> lit.Literal:
        return lit.Literal(scalar=lit.Scalar(primitive=lit.Primitive(string_value=f"{python_val.k}K")))

    def to_python_value(self, ctx, lv, expected_python_type) -> Kelvin:
        return Kelvin(int(lv.scalar.primitive.string_value[:-1]))


@task
def generate() -> MyDataset:
    d = MyDataset()
    for i in range(3):
        with open(d.new_file(f"x{i}"), "w") as fp:
            fp.write(f"Contents of file{i}")
    return d


@task
def consume(d: MyDataset) -> str:
    s = ""
    for f in d.files:
        with open(os.path.join(d.base_dir, f)) as fp:
            s += fp.read() + "\n"
    return s


@workflow
def wf() -> str:
    return consume(d=generate())


@task
def warmer(c: Celsius, by: float) -> Celsius:
    return Celsius(c.degrees + by)


@task
def mean(cs: list[Celsius]) -> float:
    return sum(c.degrees for c in cs) / len(cs)


@workflow
def climate(by: float) -> float:
    a = warmer(c=Celsius(20.0), by=by)
    b = warmer(c=a, by=by)
    return mean(cs=[a, b])


@task
def annotated(k: Annotated[Kelvin, KelvinText()]) -> Annotated[Kelvin, KelvinText()]:
    return Kelvin(k.k + 1)


if __name__ == "__main__":
    print(wf().split("\n"))
    print(climate(by=1.5), warmer(c=Celsius(1.0), by=1.0).degrees)
    print(annotated(k=Kelvin(3)).k)
    ctx = FlyteContextManager.current_context()
    lt = TypeEngine.to_literal_type(Celsius)
    literal = TypeEngine.to_literal(ctx, Celsius(3.5), Celsius, lt)
    print(lt.simple == t.SimpleType.FLOAT, literal.scalar.primitive.float_value, literal.scalar.primitive.integer)
    print(TypeEngine.to_python_value(ctx, literal, Celsius).degrees)
    print(TypeEngine.to_literal_type(list[Celsius]).collection_type.simple, TypeEngine.get_transformer(Celsius).name)
    print(TypeEngine.to_literal_type(MyDataset).blob.format, TypeEngine.to_literal_type(MyDataset).blob.dimensionality)
    print(consume.interface.inputs["d"].type.blob.format, consume.interface.outputs["o0"].type.simple)
    m = TypeEngine.dict_to_literal_map(ctx, {"a": 1, "b": "x", "c": [1.5]}, {"c": list[float]})
    print(
        m.literals["a"].scalar.primitive.integer, len(m.literals["c"].collection.literals), m.literals["b"].collection
    )
    print(TypeEngine.literal_map_to_kwargs(ctx, m, {"a": int, "b": str, "c": list[float]}))
    print(TypeEngine.guess_python_type(TypeEngine.to_literal_type(dict[str, list[int]])))
    try:
        TypeEngine.register(CelsiusTransformer())
    except ValueError as e:
        print("ValueError", "Celsius" in str(e))
