"""`AsyncClient`: the verbs, for code that awaits."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from alula._kits import scratch
from alula._kits.aio import to_thread
from alula.admin import entities, executions, leaks, names, pools, views
from alula.admin.desk import Desk
from alula.admin.leaks import Leaks
from alula.admin.options import Options
from alula.admin.pools import LeaseView, PoolChange, PoolView
from alula.admin.views import ExecutionView
from alula.client.ending import until_ended
from alula.client.follow import Follower, News
from alula.client.run import AsyncRun
from alula.client.shipping import Shipping
from alula.client.submission import CONSTANTS, Submission, as_main, literals_of, module_of, submission
from alula.config import Config, Durability, load
from alula.data import uris
from alula.data.layout import Execution as Files
from alula.engine.driver import Engine
from alula.engine.plan import compile_plan
from alula.engine.traces import TRACEPARENT
from alula.errors import ConfigError, NameTaken, StoreDamaged, Unknown
from alula.idl import Identifier, Literal, LiteralType, ResourceType
from alula.idl.ids import type_name
from alula.observability.opening import open_spans
from alula.sdk.graph import Entity
from alula.sdk.local import place_at
from alula.serve.code import Code
from alula.serve.crews import programs
from alula.serve.house import House, furnish
from alula.serve.programs import Programs
from alula.serve.reclaiming import hosted
from alula.store.memory import MemoryStore
from alula.store.records import ExecutionFilter, ExecutionKey, ExecutionRecord
from alula.types import maps
from alula.types.registry import default
from alula.types.transformer import Place

_KINDS = (ResourceType.LAUNCH_PLAN, ResourceType.WORKFLOW, ResourceType.TASK)
"""Where a name is looked for: a launch plan knows the defaults of its workflow."""
Answers = Callable[[Mapping[str, LiteralType]], Mapping[str, Literal]]
"""Makes answers to gates, given what they wait for."""


@dataclass(frozen=True, slots=True)
class Ask:
    """How something is to be run."""

    name: str = ""
    """Empty: a new one."""
    options: Options = field(default_factory=Options)
    answers: Answers | None = None
    labels: Mapping[str, str] | None = None
    facts: Mapping[str, str] | None = None


class AsyncClient:
    """Runs entities durably, and looks after what runs. An async context manager; nothing is left running after it.

    What it runs is driven by an engine of its own, which begins with the first run and ends with the client. What is
    not over by then goes on with whoever drives it next: `alula serve`, or another client.

    Args:
        store: A path or URL; empty: what the settings say.
        durability: `full` or `relaxed`; None: what the settings say.
        memory: Keep everything in this process, for tests: nothing is left in the end.
        project, domain: Where executions belong; empty: what the settings say.
        config: Settings, in place of those of the working directory.
        workers: What runs tasks, in place of processes that the client starts itself.

    Example:
        async with AsyncClient() as client:
            run = await client.run(train, rounds=3)
            print(await run.outputs())
    """

    def __init__(
        self,
        store: str = "",
        *,
        durability: str | None = None,
        memory: bool = False,
        project: str = "",
        domain: str = "",
        config: Config | None = None,
        workers: Programs | None = None,
    ) -> None:
        config = config or load()
        kept = config.store
        if store:
            kept = replace(kept, url=store)
        if durability is not None:
            kept = replace(kept, durability=_durability(durability))
        self.config = replace(config, store=kept, project=project or config.project, domain=domain or config.domain)
        self._memory, self._workers = memory, workers
        self._house: House | None = None
        self._engine: Engine | None = None
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()

    # --- life ---

    async def open(self) -> Self:
        """Open the store. Raises StoreError, ConfigError."""
        if self._house is None:
            if self._memory:
                directory = scratch.directory("memory")
                self._stack.callback(shutil.rmtree, directory, ignore_errors=True)
                self.config = replace(self.config, data=str(directory))
                self._house = House(self.config, MemoryStore())
            else:
                self._house = await to_thread(furnish, self.config)
            self._stack.push_async_callback(self._house.aclose)
        return self

    async def aclose(self) -> None:
        """End the engine of this client, if it has one, and let go of the store. It may be opened again."""
        try:
            await self._stack.aclose()
        finally:
            self._house = self._engine = self._workers = None
            self._starting = asyncio.Lock()  # the next life may have another loop

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def house(self) -> House:
        """Raises ConfigError if the client is not open."""
        if self._house is None:
            raise ConfigError("the client is not open", fix="write `async with AsyncClient() as client: ...`")
        return self._house

    @property
    def desk(self) -> Desk:
        return self.house.desk

    async def engine(self) -> Engine:
        """The engine of this client, begun if need be."""
        async with self._starting:
            if self._engine is None:
                workers = self._workers or programs(self.config)
                spans = open_spans() if "opentelemetry.sdk" in sys.modules else None
                driving = self.house.driving([workers], observers=[workers, *([spans] if spans is not None else [])])
                self._engine = await self._stack.enter_async_context(driving)
        return self._engine

    def employ(self, workers: Programs) -> None:
        """Have tasks run by these workers; to be said before the engine begins."""
        self._workers = self._workers or workers

    # --- running ---

    async def run(
        self,
        what: Entity | str,
        /,
        *,
        name: str = "",
        wait: bool = True,
        version: str = "",
        inputs: Mapping[str, Any] | None = None,
        options: Options | None = None,
        answers: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        **more: Any,
    ) -> AsyncRun:
        """Run a task, workflow or launch plan.

        Args:
            what: The entity, or the full name of one that is registered (`flows.train`).
            name: The same name with the same inputs stands for the same execution, which goes on or is over;
                empty: a new execution.
            wait: Until it has ended; its outcome is in the run that comes back, no failure is raised here.
            version: Of a registered one; empty: the newest.
            inputs: Values by name; those whose names are keywords here can only be given so.
            answers: Values for gates, given beforehand.
            more: Further inputs.

        Raises:
            NameTaken: The name stands for something else.
            Unknown: Nothing is registered under that name or version; says what there is.
            CallError, ConversionError: The inputs do not fit.
        """
        given = {**(inputs or {}), **more}
        ask = Ask(name or names.new_name(random.Random()), options or Options(), None, labels)
        place = self.place(ask.name)
        if answers:
            ask = replace(ask, answers=lambda types: _answered(answers, types, place))
        if isinstance(what, str):
            id, facts = await self._registered(what, version)
            made = await entities.find(self.house.store, id)
            types = {n: v.type for n, v in made.intake.interface.inputs.variables.items()}
            literals = await _guessed(given, types, place)
            run = await self._create(made, literals, replace(ask, facts=facts), None)
        else:
            module = module_of(what)
            as_main(module)
            sub = submission(
                what,
                place=self.constants,
                module=module,
                project=self.config.project,
                domain=self.config.domain,
                shipping=Shipping.of(self.config),
            )
            run = await self.submit(sub, await literals_of(what, given, place), ask)
        await self.drive(run)
        return await run.wait() if wait else run

    async def submit(self, made: Submission, inputs: Mapping[str, Literal], ask: Ask) -> AsyncRun:
        """Register what is to be run, and create its execution; `drive` has it driven from here.

        Raises:
            NameTaken: The name stands for something else; says what differs.
            RequestError, CompileError: With everything that is wrong.
        """
        if made.specs != entities.Specs():
            house = self.house
            await entities.register(house.store, made.specs, now=house.clock.now(), check=house.check)
        what = await entities.prepare(made.specs, made.id, self.house.store)
        return await self._create(what, inputs, replace(ask, facts={**made.facts, **(ask.facts or {})}), made.entity)

    async def drive(self, run: AsyncRun) -> None:
        """Have the engine of this client drive an execution, unless another one does or it is over."""
        record = await self.house.store.execution_by_id(run.id)
        if record.open:
            (await self.engine()).drive(run.id)

    async def _create(
        self, what: entities.Launchable, inputs: Mapping[str, Literal], ask: Ask, entity: Entity | None
    ) -> AsyncRun:
        signals = dict(ask.answers(compile_plan(what.closure).signals)) if ask.answers is not None else {}
        order = executions.Order(
            self.config.project,
            self.config.domain,
            inputs=inputs,
            name=ask.name,
            options=ask.options,
            signals=signals,
            labels=ask.labels or {},
            facts={**_started_under(), **(ask.facts or {})},
        )
        try:
            created = await executions.create(self.desk, what, order)
        except NameTaken as exc:
            raise await self._explained(exc, ask) from None
        return AsyncRun(self, created.record, entity, new=created.new)

    async def _explained(self, exc: NameTaken, ask: Ask) -> NameTaken:
        """The same error; if the code has changed since, with what to do about that."""
        there = await self.house.store.execution(self.key(ask.name))
        before, now = Code.of_facts(there.facts), Code.of_facts(ask.facts or {})
        if before is None or now is None or before.digest == now.digest or before.module != now.module:
            return exc  # which says what differs
        files = sorted({n for n in {**before.files, **now.files} if before.files.get(n) != now.files.get(n)})
        first = "" if executions.ended(there) else f"alula abort {ask.name}, then "
        return NameTaken(
            f"execution {ask.name} was made with other code: {', '.join(files)} changed since",
            where=f"it is {there.phase.replace('_', ' ')}",
            fix=f"{first}alula recover {ask.name} goes on with the code as it is now; or choose another name",
        )

    async def _registered(self, name: str, version: str) -> tuple[Identifier, Mapping[str, str]]:
        """What is registered under a name, and where its code is. Raises Unknown."""
        store, c = self.house.store, self.config
        for kind in _KINDS:
            try:
                found = await store.entity(type_name(kind), c.project, c.domain, name, version)
            except Unknown:
                continue
            id = Identifier(resource_type=kind, project=c.project, domain=c.domain, name=name, version=found.version)
            made = await store.executions(ExecutionFilter(entity=f"{name}:{found.version}"), limit=1)
            return id, made[0].facts if made else {}
        known: list[str] = []
        for kind in _KINDS:
            there = await store.entities(type_name(kind), project=c.project, domain=c.domain)
            known += [f"{one.name} ({one.version})" for one in there if not version or one.name == name]
        what = f"{name!r} of version {version!r}" if version else repr(name)
        raise Unknown(
            f"nothing is registered as {what}",
            where=f"project {c.project}, domain {c.domain}",
            fix=f"there is {', '.join(dict.fromkeys(known[:20]))}" if known else "run it once by its file",
        )

    # --- looking ---

    async def get(self, name: str) -> AsyncRun:
        """An execution by its name. Raises Unknown, with names that are close."""
        return AsyncRun(self, await self.house.store.execution(self.key(name)), None, new=False)

    async def pools(self) -> list[PoolView]:
        """Units that attempts share: how many there are, and how many are in use."""
        return await pools.pools(self.desk)

    async def pool(self, name: str, *, limit: int = 100) -> tuple[PoolView, list[LeaseView]]:
        """One pool: who has units, then who waits, in the order of the line. Raises Unknown."""
        return await pools.pool(self.desk, name, limit=limit)

    async def set_pool(self, name: str, change: PoolChange) -> PoolView:
        """Make a pool, or change it while it is in use. Raises RequestError."""
        return await pools.set_pool(self.desk, name, change)

    async def leaks(self, *, reclaim: bool = False) -> Leaks:
        """What is alive because of us and should not be, as the store and all plugins say.

        Args:
            reclaim: Stop what no attempt has, and try clean-ups that keep failing again at once.
        """
        async with hosted(self.config.backends, self.config.secrets.directory) as here:
            found = await leaks.leaks(self.desk, here.plugins, configured=here.configured, reclaim=reclaim)
        return replace(found, faults=[*here.faults, *found.faults], unasked=[*here.unasked, *found.unasked])

    async def list(
        self, *, phases: Sequence[str] = (), entity: str = "", name: str = "", limit: int = 100, before: int = 0
    ) -> list[ExecutionView]:
        """Executions, newest first; of those that others launched as a part only if their name is asked for."""
        wanted = ExecutionFilter(
            self.config.project, self.config.domain, tuple(phases), entity=entity, name=name, top=not name
        )
        return await views.executions(self.desk, wanted, limit=limit, before=before)

    async def watch(self, name: str) -> AsyncGenerator[News, None]:
        """What is there of an execution, then what changes, until it has ended. Raises Unknown."""
        record = await self.house.store.execution(self.key(name))
        async for news in Follower(self.house.store, record.id).news():
            yield news

    async def until_ended(self, id: int) -> ExecutionRecord:
        """Wait for an execution to end. Raises StoreError, also if our engine was lost or cannot read it; while our
        engine runs, a store that is away is waited for."""

        def damage() -> StoreDamaged | None:
            engine = self.house.engine
            return next((one.damage for one in engine.sessions if one.id == id), None) if engine is not None else None

        waiting = until_ended(self.house.store, id, damage, driven=lambda: self.house.engine is not None)
        return await self.house.unless_lost(waiting)

    def key(self, name: str) -> ExecutionKey:
        return ExecutionKey(self.config.project, self.config.domain, name)

    def place(self, name: str) -> Place:
        """Where the files go that an execution is given."""
        c = self.config
        files = Files.under(c.data_prefix, project=c.project, domain=c.domain, name=name)
        return place_at(uris.join(files.prefix, "given"), self.house.objects)

    @property
    def constants(self) -> Place:
        """Where the files go that workflows hold as constants."""
        return place_at(uris.join(self.config.data_prefix, CONSTANTS), self.house.objects)


def _durability(text: str) -> Durability:
    try:
        return Durability(text)
    except ValueError:
        raise ConfigError(f"durability is {text!r}", fix=f"one of {', '.join(Durability)}") from None


async def _guessed(given: Mapping[str, Any], types: Mapping[str, LiteralType], place: Place) -> Mapping[str, Literal]:
    """Values for what only literal types are known of; names that are unknown are left to whoever checks the inputs."""
    converters = {name: default.converter(default.guess(types[name])) for name in given if name in types}
    found = dict((await maps.to_literals(given, converters, place)).literals)
    return {**found, **{name: Literal() for name in given if name not in types}}


def _answered(answers: Mapping[str, Any], types: Mapping[str, LiteralType], place: Place) -> Mapping[str, Literal]:
    found = {}
    for id, value in answers.items():
        lt = types.get(id)
        found[id] = maps.literal(value, default.converter(default.guess(lt) if lt is not None else type(value)), place)
    return found


def _started_under() -> dict[str, str]:
    """The trace that this process is a part of, if whoever started it said so."""
    said = os.environ.get(TRACEPARENT.upper(), "")
    return {TRACEPARENT: said} if said else {}
