"""`Simulation`: workflows of days in milliseconds, with the engine that runs them, and whatever may happen to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from alula._kits import bridge
from alula.admin import entities, executions, signals, values
from alula.admin.desk import Desk
from alula.admin.entities import Specs
from alula.admin.options import Options
from alula.data.stores import Objects
from alula.engine.codec import read_node
from alula.engine.state import ROOT, Failure, NodeState
from alula.errors import AlulaError, CallError, TaskFailure, Unknown
from alula.idl import Literal
from alula.plugin.core import Plugin
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.sdk.compiler import Compilation, SerializationSettings, reference
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.local import place_at
from alula.sdk.workflow import BaseWorkflow, ImperativeWorkflow
from alula.store.records import ExecutionRecord
from alula.testing.sim.flows import DOMAIN, PROJECT
from alula.testing.sim.programs import Programs, Span, find_script, seconds
from alula.testing.sim.world import DATA, Weather, World
from alula.types import maps
from alula.types.registry import default
from alula.types.transformer import Place

T = TypeVar("T")

_ROOMY = 600.0
"""Seconds of a lease: an engine that speaks seldom lets days pass quickly."""
CALM = Weather(lease=_ROOMY, noticed=True)
"""Nothing goes wrong but what is asked for."""
STORM = Weather(budget=40, crash=0.005, lease=_ROOMY, noticed=True)
"""Calls of the store fail, before and after their effect; answers come late and twice; engines die and come back."""


class Simulation:
    """The real engine in virtual time, with a store in memory; tasks run in this process, or as they are told to.

    A context manager. The same seed and the same calls give the same `log`, byte for byte.

    Args:
        seed: What all that is random follows from.
        engines: How many engines share the store.
        weather: How often things go wrong: `CALM`, `STORM`, or one of your own.
        plugins: Classes of backend plugins, or functions that make one. They run the types of task that they claim, for
            real; what they call must be in this process, and live in virtual time.

    Example:
        with Simulation() as sim:
            sim.takes(train, "2 days")
            run = sim.submit(pipeline, rounds=3)
            sim.advance("3 days")
            assert run.result() == "good"
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        engines: int = 1,
        weather: Weather = CALM,
        plugins: Sequence[type[Plugin] | Callable[[], Plugin]] = (),
    ) -> None:
        objects = Objects()
        self._programs = Programs(objects, self._time)
        self._world = World(
            f"simulation {seed}", weather, self._programs.deed, objects=objects, traced=False, plugins=plugins
        )
        self._engines = engines
        self._stack = ExitStack()
        self._names = 0
        self.desk = Desk(self._world.store, self._world.objects, DATA, self._world.clock, random.Random(seed))

    def __enter__(self) -> Self:
        self._stack.enter_context(self._world.alive())
        for slot in range(self._engines):
            self._world.start(slot)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()
        world = self._world
        wrong = [*world.checker.faults, *world.cluster.faults, *world.mishaps, *world.loop.mishaps]
        world.bury()
        if wrong and exc is None:
            raise AlulaError(
                f"the engine broke a promise: {wrong[0]}",
                where=f"{len(wrong)} in all, in this simulation",
                fix="report it with the seed and the log of the simulation: it is a bug of Alula",
            )

    # --- what runs ---

    def submit(self, what: Entity, /, *, name: str = "", options: Options | None = None, **inputs: Any) -> SimulatedRun:
        """Have a task, workflow or launch plan run. It begins with the next `advance`.

        Raises:
            CompileError: It does not hold together.
            RequestError, ConversionError: The inputs do not fit.
        """
        find_script()
        self._names += 1
        name = name or f"run{self._names}"
        place = place_at(f"{DATA}/{name}/given", self._world.objects)
        settings = SerializationSettings(project=PROJECT, domain=DOMAIN, version="v", place=place, processes=True)
        work = Compilation(settings)
        id = reference(what, work)
        if isinstance(what, BaseWorkflow) and not isinstance(what, ImperativeWorkflow):
            reference(LaunchPlan.get_default_launch_plan(what), work)
        specs = Specs.of(work.tasks.values(), work.workflows.values(), work.launch_plans.values())
        literals = _literals(what, inputs, place)
        order = executions.Order(PROJECT, DOMAIN, literals, name=name, options=options or Options())

        async def create() -> ExecutionRecord:
            await entities.register(self._world.store, specs, now=self._time())
            launchable = await entities.prepare(specs, id, self._world.store)
            return (await executions.create(self.desk, launchable, order)).record

        return SimulatedRun(self, self.wait_for(create()), what)

    def takes(self, task: Entity, span: Span, *, waiting: Span = 0) -> None:
        """Let attempts of a task run for so long, after waiting for so long. Its code itself takes no time."""
        way = self._programs.of(task)
        way.takes, way.waits = seconds(span), seconds(waiting)

    def fails(
        self, task: Entity, *, times: int = 1, error: str = "it fails in this simulation", interrupted: bool = False
    ) -> None:
        """Let the first attempts of every node of a task fail.

        Args:
            interrupted: Because the machine was taken away, which costs none of the task's retries where the task may
                be interrupted.
        """
        way, kind = self._programs.of(task), FailureKind.INTERRUPTED if interrupted else FailureKind.USER
        way.failures = times
        way.failure = AttemptFailure("Interrupted" if interrupted else "USER:Simulated", error, kind, recoverable=True)

    def returns(self, task: Entity, *results: Any) -> None:
        """Let a task give this, and never run its code. Raises CallError, ConversionError if it does not fit."""
        self._programs.of(task).result = self._programs.answer(task, results)

    # --- time, and what happens in it ---

    @property
    def now(self) -> datetime:
        return self._time()

    @property
    def log(self) -> list[str]:
        """What has happened: one line each, with the virtual second at which it did."""
        return self._world.log

    def advance(self, span: Span) -> None:
        """Let time pass, with all that happens in it."""
        self._world.loop.advance(seconds(span))

    def kill(self, engine: int = 0, *, again_after: Span = "5s") -> None:
        """End an engine as SIGKILL does, and start another one later."""
        self._world.kill(engine, "because the test says so", again_after=seconds(again_after))

    def pause(self, engine: int = 0, *, lasts: Span) -> None:
        """Stop an engine's process, as a machine that swaps does, and let it go on later as if nothing had been."""
        process = self._world.replicas[engine].process
        process.pause()
        self._world.at(seconds(lasts), process.resume)

    def cut_off(self, engine: int = 0, *, lasts: Span) -> None:
        """Let an engine not reach the store for a while."""
        store = self._world.replicas[engine].store
        store.cut_off = True

        def join() -> None:
            store.cut_off = False

        self._world.at(seconds(lasts), join)

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives, run on the simulation's loop; time passes if it must."""
        return self._world.loop.run_until_complete(work)

    def _time(self) -> datetime:
        return self._world.clock.now()


def _literals(entity: Entity, given: Mapping[str, Any], place: Place) -> Mapping[str, Literal]:
    """The inputs of an entity; the defaults that Python declares are filled in."""
    declared = entity.interface.inputs
    if not isinstance(entity, LaunchPlan):  # whose spec has its defaults
        given = {n: one.default for n, one in declared.items() if n not in given and not one.required} | dict(given)
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise CallError(f"{entity.short_name} has no input {unknown[0]!r}", fix=f"there are: {', '.join(declared)}")
    converters = {name: declared[name].converter for name in given}
    return bridge.run(maps.to_literals(given, converters, place)).literals


class SimulatedRun:
    """One execution of a simulation."""

    def __init__(self, sim: Simulation, record: ExecutionRecord, entity: Entity) -> None:
        self._sim, self._key, self._entity = sim, record.key, entity
        self.id = record.id

    @property
    def record(self) -> ExecutionRecord:
        return self._sim.wait_for(self._sim.desk.store.execution(self._key))

    @property
    def phase(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, ..."""
        return self.record.phase

    def result(self) -> Any:
        """What calling the entity would give.

        Raises:
            TaskFailure: It has not succeeded.
        """
        if self.phase != "succeeded":
            failure = self.failure
            what = f"execution {self._key.name} is {self.phase}"
            raise TaskFailure(
                f"{what}: {failure.message}" if failure else what, code=failure.code if failure else "Open"
            )
        outputs = self._sim.wait_for(values.outputs(self._sim.desk, self._key))
        declared = self._entity.interface.outputs
        place = place_at(f"{DATA}/results", self._sim.desk.objects)
        converters = {name: one.converter for name, one in declared.items()}
        found: Mapping[str, Any] = bridge.run(maps.to_python(outputs, converters, place))
        return self._entity.interface.pack(tuple(found[name] for name in declared))

    @property
    def failure(self) -> Failure | None:
        """Why it failed; None if it did not."""
        root = self._rows().get(ROOT)
        return root.failure if root is not None else None

    @property
    def nodes(self) -> dict[str, str]:
        """The phase of every node that has begun, by its path."""
        return {path: str(row.phase) for path, row in self._rows().items() if path != ROOT}

    def attempts(self, path: str) -> int:
        """How many attempts a node has had."""
        return len(self._sim.wait_for(self._sim.desk.store.attempts(self.id, path)))

    @property
    def gates(self) -> dict[str, bool]:
        """What it asks of people, by name, and whether it waits for the answer now."""
        return {one.id: one.waiting for one in self._sim.wait_for(signals.signals(self._sim.desk, self._key))}

    def signal(self, id: str, value: Any) -> None:
        """Give a gate its value. Raises Unknown, RequestError, ConversionError."""
        asked = {one.id: one.type for one in self._sim.wait_for(signals.signals(self._sim.desk, self._key))}
        if id not in asked:
            raise Unknown(f"no gate waits for {id!r}", fix=f"there are: {', '.join(asked) or 'none'}")
        place = place_at(f"{DATA}/signals", self._sim.desk.objects)
        converter = default.converter(default.guess(asked[id]))
        literal = bridge.run(maps.to_literals({id: value}, {id: converter}, place)).literals[id]
        self._sim.wait_for(signals.give(self._sim.desk, self._key, id, literal))

    def approve(self, id: str, *, yes: bool = True) -> None:
        """Say yes or no at a gate. Raises Unknown, RequestError."""
        self._sim.wait_for(signals.approve(self._sim.desk, self._key, id, yes=yes))

    def abort(self, reason: str = "the test says so") -> None:
        """Ask for its end. Raises RequestError if it has ended."""
        self._sim.wait_for(executions.abort(self._sim.desk, self._key, reason=reason))

    def recover(self) -> SimulatedRun:
        """Another execution that runs what did not succeed here. Raises RequestError."""
        made = self._sim.wait_for(executions.recover(self._sim.desk, self._key))
        return SimulatedRun(self._sim, made.record, self._entity)

    def _rows(self) -> dict[str, NodeState]:
        rows = self._sim.wait_for(self._sim.desk.store.nodes(self.id))
        return {row.path: read_node(row) for row in rows}
