"""A desk over a store in memory, programs to register, and an engine to run them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from random import Random

from alula._kits.clock import Clock, SystemClock
from alula.admin.desk import Desk
from alula.admin.entities import Launchable, Specs
from alula.admin.executions import Created, Order, create
from alula.compiler.launching import Intake
from alula.config import CacheConfig, EngineConfig
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.idl import CompiledWorkflowClosure, Literal, LiteralMap, Node, ResourceType, literals
from alula.plugin.runner import Job, Started, Succeeded, Tell
from alula.sdk.graph import Entity
from alula.sdk.serialize import SerializationSettings, serialize
from alula.store.memory import MemoryStore
from alula.store.records import ExecutionKey, ExecutionRecord
from tests.unit.compiler.build import id_of, ref, task_node
from tests.unit.engine.build import made
from tests.unit.engine.drive import FakeRunner, ended, running
from tests.unit.idl.build import INT

DATA = "memory://data"


def desk(data: str = DATA, *, clock: Clock | None = None) -> Desk:
    return Desk(MemoryStore(clock), Objects(), data, clock or SystemClock(), Random(1))


def adding(job: Job, tell: Tell) -> None:
    """Adds up its inputs, those in lists too. Gives a list where one is declared, but for an item of a map."""
    tell(Started())
    inputs = LiteralMap.FromString(job.inputs).literals.values()
    total = literals.integer(sum(one.scalar.primitive.integer for lit in inputs for one in _flat(lit)))
    made = LiteralMap()
    for name, variable in job.template.interface.outputs.variables.items():
        listed = variable.type.HasField("collection_type") and job.index < 0
        made.literals[name].CopyFrom(literals.collection([total]) if listed else total)
    tell(Succeeded(made.SerializeToString()))


def _flat(lit: Literal) -> Iterable[Literal]:
    return lit.collection.literals if lit.HasField("collection") else [lit]


def key(name: str) -> ExecutionKey:
    return ExecutionKey("p", "d", name)


def integers(**values: int) -> dict[str, Literal]:
    return {name: literals.integer(value) for name, value in values.items()}


def specs(entity: Entity, version: str = "v1") -> Specs:
    one = serialize(entity, SerializationSettings(project="p", domain="d", version=version))
    return Specs.of(one.tasks.values(), one.workflows.values(), one.launch_plans.values())


def chain(length: int = 2) -> CompiledWorkflowClosure:
    nodes = [task_node("n0", "add", x=ref("", "a"), y=ref("", "a"))]
    for nth in range(1, length):
        before = ref(f"n{nth - 1}", "o0")
        nodes.append(task_node(f"n{nth}", "add", x=before, y=before))
    return workflow(*nodes, gives=f"n{length - 1}")


def workflow(*nodes: Node, gives: str = "") -> CompiledWorkflowClosure:
    return made(nodes, outputs={"o0": (INT, ref(gives, "o0"))} if gives else None)


def launchable(closure: CompiledWorkflowClosure | None = None, name: str = "flow") -> Launchable:
    closure = closure or chain()
    return Launchable(id_of(ResourceType.WORKFLOW, name), closure, Intake(closure.primary.template.interface))


async def start(
    at: Desk,
    closure: CompiledWorkflowClosure | None = None,
    *,
    name: str = "ex",
    inputs: Mapping[str, Literal] | None = None,
) -> Created:
    return await create(at, launchable(closure), Order("p", "d", inputs or integers(a=1), name=name))


@asynccontextmanager
async def engine(
    at: Desk, runner: FakeRunner, *, config: EngineConfig | None = None, only: Collection[int] | None = None
) -> AsyncIterator[Engine]:
    one = Engine(
        at.store,
        owner="engine",
        runners=[runner],
        objects=at.objects,
        memo=Memo(at.store, at.objects, at.clock, CacheConfig(), data=at.data),
        data_prefix=at.data,
        clock=at.clock,
        rng=Random(1),
        config=config,
        only=only,
    )
    async with running(one):
        yield one


async def run(at: Desk, made: Created, runner: FakeRunner | None = None) -> ExecutionRecord:
    async with engine(at, runner or FakeRunner(default=adding)):
        return await ended(at.store, made.record.id)


def values(data: LiteralMap) -> dict[str, int]:
    return {name: lit.scalar.primitive.integer for name, lit in data.literals.items()}
