"""What an author of an extension subclasses tells a wrong method at once."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alula import Context, TaskPlugin, TypeTransformer, current_context, task, types
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.types import Place, Types


class UuidTransformer(TypeTransformer[UUID]):
    python_type = UUID

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    def to_literal(self, value: UUID, t: Any, at: Place) -> Literal:
        return literals.string(str(value))

    def to_python(self, lit: Literal, t: Any, at: Place) -> UUID:
        return UUID(lit.scalar.primitive.string_value)


class WrongTransformer(TypeTransformer[UUID]):
    python_type = UUID

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return SimpleType.STRING  # refused: return-value, reportReturnType

    def to_literal(self, value: str, t: Any, at: Place) -> Literal:  # refused: override, reportIncompatibleMethodOverride
        return literals.string(value)

    def to_python(self, lit: Literal, t: Any, at: Place) -> str:  # refused: override, reportIncompatibleMethodOverride
        return lit.scalar.primitive.string_value


class Unfinished(TypeTransformer[UUID]):
    python_type = UUID


@dataclass
class Quiet:
    level: int


class QuietPlugin(TaskPlugin[Quiet]):
    task_type = "python-task"
    config_type = Quiet

    def custom(self, config: Quiet) -> Mapping[str, Any]:
        return {"level": config.level}

    def around(self, config: Quiet) -> AbstractContextManager[Mapping[str, object]]:
        return quiet(config.level)


class WrongPlugin(TaskPlugin[Quiet]):
    task_type = "python-task"
    config_type = Quiet

    def custom(self, config: int) -> Mapping[str, Any]:  # refused: override, reportIncompatibleMethodOverride
        return {}


@contextmanager
def quiet(level: int) -> Iterator[Mapping[str, object]]:
    yield {"level": level}


@task(task_config=Quiet(1))
def whisper(id: UUID) -> str:
    context: Context = current_context()
    return f"{id} {context.level}"


types.register(UuidTransformer())
types.register(UuidTransformer)  # refused: arg-type, reportArgumentType
types.register(Unfinished())  # refused: abstract, reportAbstractUsage
