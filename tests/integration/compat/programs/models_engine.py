"""The models of values and types, and the type engine around them, as plugins use them."""

import datetime
import typing
from dataclasses import dataclass
from typing import Annotated, Dict, List, Optional, Type

from flytekit import FlyteContext, FlyteContextManager, HashMethod, kwtypes, task, workflow
from flytekit.core.annotation import FlyteAnnotation
from flytekit.core.interface import Interface, transform_function_to_interface, transform_interface_to_typed_interface
from flytekit.core.type_engine import (
    AsyncTypeTransformer,
    DictTransformer,
    LiteralsResolver,
    RestrictedTypeTransformer,
    SimpleTransformer,
    TypeEngine,
    TypeTransformer,
    UnionTransformer,
)
from flytekit.models.core.types import BlobType
from flytekit.models.interface import Parameter, Variable
from flytekit.models.literals import (
    Binary,
    Blob,
    BlobMetadata,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    StructuredDataset,
    StructuredDatasetMetadata,
    Union,
    Void,
)
from flytekit.models.types import LiteralType, SimpleType, StructuredDatasetType, TypeStructure, UnionType


class Even:
    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return self.n == other.n


class Later:
    def __init__(self, n):
        self.n = n


class Banned:
    pass


def make_even(lv: Literal) -> Even:
    return Even(lv.scalar.primitive.integer)


TypeEngine.register(
    SimpleTransformer(
        "even",
        Even,
        LiteralType(simple=SimpleType.INTEGER),
        lambda x: Literal(scalar=Scalar(primitive=Primitive(integer=x.n))),
        make_even,
    )
)


class LaterTransformer(AsyncTypeTransformer[Later]):
    def __init__(self):
        super().__init__("later", Later)

    def get_literal_type(self, t: Type[Later]) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    async def async_to_literal(self, ctx, python_val, python_type, expected) -> Literal:
        return Literal(scalar=Scalar(primitive=Primitive(string_value=f"later-{python_val.n}")))

    async def async_to_python_value(self, ctx, lv, expected_python_type) -> Later:
        return Later(int(lv.scalar.primitive.string_value.split("-")[1]))


TypeEngine.register(LaterTransformer())
TypeEngine.register_restricted_type("banned", Banned)


@task
def evens(a: Even, b: Optional[Even], c: List[Even], d: Dict[str, Later]) -> Later:
    return Later(a.n + (b.n if b else 0) + sum(e.n for e in c) + sum(x.n for x in d.values()))


@task
def number(x: Later) -> int:
    return x.n


@workflow
def wf(n: int) -> int:
    return number(x=evens(a=Even(2), b=None, c=[Even(4), Even(6)], d={"k": Later(1)}))


@dataclass
class Point:
    x: int
    y: Optional[str] = None


def rt(model):
    return type(model).from_flyte_idl(model.to_flyte_idl()) == model


if __name__ == "__main__":
    ctx = FlyteContextManager.current_context()
    print(wf(n=1))
    for wrong in (lambda: TypeEngine.to_literal_type(Banned),):
        try:
            wrong()
        except Exception as e:
            print(type(e).__name__ if "Restricted" in type(e).__name__ else "other")
    i = Literal(scalar=Scalar(primitive=Primitive(integer=3)))
    s = Literal(scalar=Scalar(primitive=Primitive(string_value="x")), hash="h", metadata={"k": "v"})
    blob = Literal(
        scalar=Scalar(
            blob=Blob(metadata=BlobMetadata(type=BlobType("csv", BlobType.BlobDimensionality.SINGLE)), uri="s3://b")
        )
    )
    u = Literal(
        scalar=Scalar(
            union=Union(value=i, stored_type=LiteralType(simple=SimpleType.INTEGER, structure=TypeStructure(tag="int")))
        )
    )
    none = Literal(scalar=Scalar(none_type=Void()))
    sd = Literal(
        scalar=Scalar(
            structured_dataset=StructuredDataset(
                "s3://d", StructuredDatasetMetadata(StructuredDatasetType(format="parquet"))
            )
        )
    )
    when = Literal(
        scalar=Scalar(primitive=Primitive(datetime=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)))
    )
    packed = Literal(scalar=Scalar(binary=Binary(b"\x80", "msgpack")))
    coll = Literal(collection=LiteralCollection([i, s]))
    m = Literal(map=LiteralMap({"a": i, "b": coll}))
    print([rt(x) for x in (i, s, blob, u, none, sd, when, packed, coll, m)])
    print(
        i.scalar.primitive.value,
        i.collection,
        i.hash,
        s.hash,
        s.metadata,
        blob.scalar.value.uri,
        i.value.primitive.integer,
    )
    print(
        u.scalar.union.stored_type.structure.tag,
        none.scalar.none_type is not None,
        i.scalar.none_type,
        when.scalar.primitive.datetime,
    )
    print(
        sd.scalar.structured_dataset.metadata.structured_dataset_type.format,
        m.map.literals["b"].collection.literals[1].hash,
    )
    lt = LiteralType(map_value_type=LiteralType(collection_type=LiteralType(simple=SimpleType.STRUCT)))
    print(
        lt.simple,
        lt.map_value_type.collection_type.simple,
        lt.blob,
        rt(lt),
        lt == LiteralType.from_flyte_idl(lt.to_flyte_idl()),
    )
    print(
        LiteralType(union_type=UnionType([LiteralType(simple=0), lt])).union_type.variants[0].simple == SimpleType.NONE
    )
    print(rt(Variable(lt, "d")), rt(Parameter(Variable(lt, "d"), required=True)), Variable(lt, "text").description)
    print(TypeEngine.to_literal_type(Annotated[int, FlyteAnnotation({"k": 1})]).annotation.annotations)
    pt = TypeEngine.to_literal_type(Point)
    print(pt.simple == SimpleType.STRUCT, sorted(pt.structure.dataclass_type), pt.metadata["title"])
    lv = TypeEngine.to_literal(ctx, Point(1), Point, pt)
    print(lv.scalar.binary.tag, TypeEngine.to_python_value(ctx, lv, Point))
    h = TypeEngine.to_literal(ctx, 3, Annotated[int, HashMethod(lambda x: f"hash{x}")], LiteralType(simple=1))
    print(
        h.hash,
        TypeEngine.to_literal(
            ctx, None, Optional[int], TypeEngine.to_literal_type(Optional[int])
        ).scalar.union.value.scalar.none_type
        is not None,
    )
    print(
        TypeEngine.guess_python_type(LiteralType(simple=SimpleType.DURATION)),
        TypeEngine.guess_python_types({"a": Variable(TypeEngine.to_literal_type(typing.List[bool]), "")}),
    )
    print(
        UnionTransformer.is_optional_type(Optional[int]) if hasattr(UnionTransformer, "is_optional_type") else True,
        DictTransformer().name,
    )
    print(
        LiteralsResolver({"a": i}).get("a", int),
        TypeEngine.get_transformer(Even).name,
        TypeEngine.get_transformer(Later).is_async,
    )

    def f(a: int, b: str = "x") -> typing.NamedTuple("Out", [("y", float)]):
        return (1.0,)

    interface = transform_function_to_interface(f)
    print(interface.inputs, interface.inputs_with_defaults, interface.outputs, interface.output_tuple_name)
    typed = transform_interface_to_typed_interface(interface)
    print(typed.inputs["a"].type.simple, typed.outputs["y"].type.simple)
    by_hand = Interface(kwtypes(a=int), kwtypes(b=str)).with_inputs({"c": float}).remove_inputs(["a"])
    print(by_hand.inputs, by_hand.outputs, by_hand.output_names)
    for wrong, t in ((i, str), (s, int), (none, int)):
        try:
            TypeEngine.to_python_value(ctx, wrong, t)
            print("no error")
        except (TypeError, ValueError, AssertionError):
            print("refused")
    print(
        isinstance(TypeEngine.get_transformer(int), TypeTransformer),
        issubclass(RestrictedTypeTransformer, TypeTransformer),
        isinstance(ctx, FlyteContext),
    )
