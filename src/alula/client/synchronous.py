"""`Client`: the verbs for code that does not await. Each is a call of `AsyncClient` on a loop of the client's own."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from alula._kits.portal import Portal
from alula.admin.leaks import Leaks
from alula.admin.options import Options
from alula.admin.pools import LeaseView, PoolChange, PoolView
from alula.admin.signals import Signal
from alula.admin.views import ELEMENTS, AttemptView, ExecutionView, NodeView
from alula.admin.why import Why
from alula.client.asynchronous import AsyncClient
from alula.client.follow import News
from alula.client.logs import LogLine
from alula.client.run import AsyncRun
from alula.client.submission import as_main, module_of
from alula.config import Config
from alula.engine.state import ROOT
from alula.errors import ConfigError
from alula.sdk.graph import Entity
from alula.serve.code import Code
from alula.serve.crews import fork, programs

T = TypeVar("T")


class Client:
    """Runs entities durably, and looks after what runs. A context manager; nothing is left running after it.

    What it runs is driven by an engine of its own, on a thread that lives as long as the client. Where the process has
    no other threads at the first run, workers are forked from it, and begin with all that it has imported.

    Args:
        store: A path or URL; empty: what the settings say.
        durability: `full` or `relaxed`; None: what the settings say.
        memory: Keep everything in this process, for tests: nothing is left in the end.
        project, domain: Where executions belong; empty: what the settings say.
        config: Settings, in place of those of the working directory.

    Example:
        with Client() as client:
            run = client.run(train, rounds=3)
            print(run.outputs)
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
    ) -> None:
        self._async = AsyncClient(
            store, durability=durability, memory=memory, project=project, domain=domain, config=config
        )
        self._portal: _Portal | None = None
        self._closed = False

    def __enter__(self) -> Self:
        self._closed = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine, if there is one, and let go of the store. May be called again; `with` opens it anew."""
        self._closed = True
        portal, self._portal = self._portal, None
        if portal is not None:
            try:
                portal.run(self._async.aclose())
            finally:
                portal.close()

    @property
    def config(self) -> Config:
        """The settings that count."""
        return self._async.config

    def run(
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
    ) -> Run:
        """Run a task, workflow or launch plan: see `AsyncClient.run`."""
        if self._portal is None and not self._closed and isinstance(what, Entity):
            self._fork(what)
        made = self._open().run(
            self._async.run(
                what,
                name=name,
                wait=wait,
                version=version,
                inputs={**(inputs or {}), **more},
                options=options,
                answers=answers,
                labels=labels,
            )
        )
        return Run(made, self._open())

    def get(self, name: str) -> Run:
        """An execution by its name. Raises Unknown, with names that are close."""
        return Run(self._open().run(self._async.get(name)), self._open())

    def pools(self) -> list[PoolView]:
        """Units that attempts share: how many there are, and how many are in use."""
        return self._open().run(self._async.pools())

    def pool(self, name: str, *, limit: int = 100) -> tuple[PoolView, list[LeaseView]]:
        """One pool: who has units, then who waits, in the order of the line. Raises Unknown."""
        return self._open().run(self._async.pool(name, limit=limit))

    def set_pool(self, name: str, change: PoolChange) -> PoolView:
        """Make a pool, or change it while it is in use. Raises RequestError."""
        return self._open().run(self._async.set_pool(name, change))

    def leaks(self, *, reclaim: bool = False) -> Leaks:
        """What is alive because of us and should not be: see `AsyncClient.leaks`."""
        return self._open().run(self._async.leaks(reclaim=reclaim))

    def list(
        self, *, phases: Sequence[str] = (), entity: str = "", name: str = "", limit: int = 100, before: int = 0
    ) -> list[ExecutionView]:
        """Executions, newest first."""
        return self._open().run(self._async.list(phases=phases, entity=entity, name=name, limit=limit, before=before))

    def watch(self, name: str) -> Iterator[News]:
        """What is there of an execution, then what changes, until it has ended. Raises Unknown."""
        yield from self._open().each(self._async.watch(name))

    def _open(self) -> _Portal:
        if self._closed:
            raise _not_open()
        if self._portal is None:
            portal = _Portal("alula-client")
            try:
                portal.run(self._async.open())
            except BaseException:
                portal.close()
                raise
            self._portal = portal
        return self._portal

    def _fork(self, what: Entity) -> None:
        """Have workers forked from this process, while it has no threads."""
        module = module_of(what)
        as_main(module)
        forked = fork(Code.loaded(module))
        if forked is not None:
            self._async.employ(programs(self._async.config, forked=forked))


class _Portal(Portal):
    """The loop of a client."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises ConfigError if the client was closed."""
        if self.closed:
            work.close()
            raise _not_open()
        return super().run(work)


def _not_open() -> ConfigError:
    return ConfigError("the client is not open", fix="write `with Client() as client: ...`, and use it in there")


class Run:
    """One execution. What it says of itself is as of the last look (`refresh`, `wait`)."""

    def __init__(self, run: AsyncRun, portal: _Portal) -> None:
        self._async, self._portal = run, portal

    def __repr__(self) -> str:
        return repr(self._async)

    @property
    def name(self) -> str:
        return self._async.name

    @property
    def phase(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, ..."""
        return self._async.phase

    @property
    def ended(self) -> bool:
        return self._async.ended

    @property
    def new(self) -> bool:
        """Whether it was created by this call; False: the name stood for it already."""
        return self._async.new

    @property
    def created_at(self) -> datetime:
        return self._async.created_at

    @property
    def outputs(self) -> dict[str, Any]:
        """What it gave, by name, waited for. Raises TaskFailure if it did not end well."""
        return self._portal.run(self._async.outputs())

    @property
    def error(self) -> Exception | None:
        """How it failed; None if it did not, or has not ended."""
        return self._portal.run(self._async.error())

    def result(self) -> Any:
        """What calling the entity gives, waited for. Raises TaskFailure if it did not end well."""
        return self._portal.run(self._async.result())

    def refresh(self) -> Self:
        """Look again."""
        self._portal.run(self._async.refresh())
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the end. Raises TimeoutError after so many seconds; the execution goes on."""
        self._portal.run(self._async.wait(timeout))
        return self

    def nodes(self, path: str = ROOT, *, deep: bool = True, elements: int = ELEMENTS) -> list[NodeView]:
        """A node and what is in it. Raises Unknown."""
        return self._portal.run(self._async.nodes(path, deep=deep, elements=elements))

    def attempts(self, path: str | None = None) -> list[AttemptView]:
        """The attempts of a node, or all of them. Raises Unknown."""
        return self._portal.run(self._async.attempts(path))

    def logs(self, path: str | None = None, *, attempt: int | None = None, follow: bool = False) -> Iterator[LogLine]:
        """What tasks printed, of one node or all; until the end, if it is followed. Raises Unknown."""
        yield from self._portal.each(self._async.logs(path, attempt=attempt, follow=follow))

    def why(self, path: str = ROOT) -> list[Why]:
        """Why it, or a node of it, is where it is. Raises Unknown."""
        return self._portal.run(self._async.why(path))

    def signals(self) -> list[Signal]:
        """What it asks of people."""
        return self._portal.run(self._async.signals())

    def signal(self, id: str, value: Any) -> None:
        """Give a gate its value. Raises Unknown, RequestError, ConversionError."""
        self._portal.run(self._async.signal(id, value))

    def approve(self, id: str, *, yes: bool = True) -> None:
        """Say yes or no at a gate. Raises Unknown, RequestError."""
        self._portal.run(self._async.approve(id, yes=yes))

    def abort(self, reason: str = "", *, wait: bool = True) -> Self:
        """Stop it. Raises RequestError if it has ended by itself."""
        self._portal.run(self._async.abort(reason, wait=wait))
        return self

    def recover(self, *, name: str = "", wait: bool = True, options: Options | None = None) -> Run:
        """A new execution that runs what did not succeed here, and takes the rest over. Raises RequestError."""
        return Run(self._portal.run(self._async.recover(name=name, wait=wait, options=options)), self._portal)

    def rerun(self, *nodes: str, name: str = "", wait: bool = True, options: Options | None = None) -> Run:
        """A new execution that runs some nodes again, with what comes after them; without any, all of it."""
        return Run(self._portal.run(self._async.rerun(*nodes, name=name, wait=wait, options=options)), self._portal)
