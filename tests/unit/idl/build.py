"""Types for tests, in few words."""

from alula.idl import (
    BlobType,
    EnumType,
    LiteralType,
    SchemaType,
    SimpleType,
    Struct,
    StructuredDatasetType,
    TypeAnnotation,
    TypedInterface,
    TypeStructure,
    UnionType,
    Variable,
    VariableMap,
)

NONE = LiteralType(simple=SimpleType.NONE)
INT = LiteralType(simple=SimpleType.INTEGER)
FLOAT = LiteralType(simple=SimpleType.FLOAT)
STR = LiteralType(simple=SimpleType.STRING)
BOOL = LiteralType(simple=SimpleType.BOOLEAN)
DICT = LiteralType(simple=SimpleType.STRUCT)


def list_of(t: LiteralType) -> LiteralType:
    return LiteralType(collection_type=t)


def map_of(t: LiteralType) -> LiteralType:
    return LiteralType(map_value_type=t)


def union_of(*variants: LiteralType) -> LiteralType:
    return LiteralType(union_type=UnionType(variants=variants))


def struct(value: dict[str, object]) -> Struct:
    result = Struct()
    result.update(value)
    return result


def dataclass_of(title: str, **fields: LiteralType) -> LiteralType:
    structure = TypeStructure(dataclass_type=fields)
    return LiteralType(simple=SimpleType.STRUCT, metadata=struct({"title": title}), structure=structure)


def schema_of(properties: dict[str, object], **more: object) -> LiteralType:
    return LiteralType(simple=SimpleType.STRUCT, metadata=struct({"title": "P", "properties": properties, **more}))


def table_of(format: str = "", **columns: LiteralType) -> LiteralType:
    described = [StructuredDatasetType.DatasetColumn(name=n, literal_type=t) for n, t in columns.items()]
    return LiteralType(structured_dataset_type=StructuredDatasetType(format=format, columns=described))


def old_table(**columns: SchemaType.SchemaColumn.SchemaColumnType) -> LiteralType:
    return LiteralType(schema=SchemaType(columns=[SchemaType.SchemaColumn(name=n, type=t) for n, t in columns.items()]))


def file_of(format: str = "", multipart: bool = False) -> LiteralType:
    return LiteralType(blob=BlobType(format=format, dimensionality=1 if multipart else 0))


def enum_of(*values: str) -> LiteralType:
    return LiteralType(enum_type=EnumType(values=values))


def literal_of(*values: str | int) -> LiteralType:
    allowed = struct({"literal_values": list(values)})
    return LiteralType(simple=SimpleType.STRING, annotation=TypeAnnotation(annotations=allowed))


POINT = dataclass_of("Point", x=INT, y=FLOAT)


def variables(**types: LiteralType) -> VariableMap:
    return VariableMap(variables={name: Variable(type=t, description=name) for name, t in types.items()})


def typed(inputs: dict[str, LiteralType], outputs: dict[str, LiteralType]) -> TypedInterface:
    return TypedInterface(inputs=variables(**inputs), outputs=variables(**outputs))
