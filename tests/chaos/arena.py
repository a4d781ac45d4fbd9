"""Processes to kill, the place where they work, and what must hold when they are gone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

from alula.client.asynchronous import Ask, AsyncClient
from alula.client.submission import literals_of, submission
from alula.config import Config, StoreConfig
from alula.engine.codec import read_node
from alula.engine.state import NodePhase, NodeState, Values
from alula.sdk.graph import Entity
from alula.store.records import ExecutionRecord
from tests.chaos import program

MARK = "ALULA_CHAOS_MARK"
ROOT = Path(__file__).resolve().parents[2]
_COMMAND = [sys.executable, "-c", "from alula.cli.main import main; main()"]
_PATIENCE = 180.0


@dataclass(eq=False)
class Arena:
    """A directory for everything that the processes write, and a mark by which they are known.

    Args:
        home: An empty directory.
        url: The store; empty: a file in the directory.
    """

    home: Path
    url: str = ""
    mark: str = field(default_factory=lambda: uuid4().hex)
    known: dict[tuple[int, str], Values] = field(default_factory=dict)
    """What was read as the result of a node, which must never change."""

    def __post_init__(self) -> None:
        self.url = self.url or str(self.home / "alula.db")
        self.trace, self.temporary = self.home / "trace", self.home / "tmp"
        self.trace.mkdir()
        self.temporary.mkdir()

    @property
    def config(self) -> Config:
        return Config(home=self.home, store=StoreConfig(url=self.url))

    def process(self, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        """A command line of Alula, in a process that everything of it can be told by."""
        environ = {
            **os.environ,
            MARK: self.mark,
            "ALULA_HOME": str(self.home),
            "ALULA__STORE__URL": self.url,
            "TMPDIR": str(self.temporary),
            **environ,
        }
        with (self.home / "stderr.txt").open("ab") as errors:
            return subprocess.Popen([*_COMMAND, *words], env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)

    def engine(self, **environ: str) -> subprocess.Popen[bytes]:
        return self.process("serve", "--store", self.url, **environ)

    # --- executions ---

    async def submit(self, client: AsyncClient, entity: Entity, name: str, x: int) -> ExecutionRecord:
        """Have something run by whatever engine there is."""
        given = {"x": x, "trace": str(self.trace)}
        place = client.place(name)
        there = {"project": "default", "domain": "development"}
        made = submission(entity, place=client.constants, module="tests.chaos.program", **there)
        run = await client.submit(made, await literals_of(entity, given, place), Ask(name))
        return run.record

    async def remember(self, client: AsyncClient, execution: int) -> None:
        """Read the results that there are, and compare them with those that were read before."""
        for row in await client.house.store.nodes(execution):
            node = read_node(row)
            if node.phase.good and node.outputs is not None:
                before = self.known.setdefault((execution, node.path), node.outputs)
                assert before == node.outputs, f"the result of {node.path} of {execution} has changed"

    async def ended(
        self, client: AsyncClient, executions: Mapping[int, int], engines: Sequence[subprocess.Popen[bytes]]
    ) -> None:
        """Wait until these engines have nothing left to do for any of these executions.

        Raises:
            AssertionError: They have after a long time, or have ended; it says what, and what they have said.
        """
        store = client.house.store
        try:
            async with asyncio.timeout(_PATIENCE):
                for id in executions:
                    while (await store.execution_by_id(id)).open:
                        if any(engine.poll() is not None for engine in engines):
                            raise TimeoutError
                        await asyncio.sleep(0.1)
        except TimeoutError:
            lines = [line for id in executions for line in await self._open(client, await store.execution_by_id(id))]
            lines += [f"process {pid}: {text}" for pid, text in self.processes()]
            lines.append((self.home / "stderr.txt").read_text()[-10_000:])
            raise AssertionError("\n".join(["still open", *lines])) from None

    async def _open(self, client: AsyncClient, record: ExecutionRecord) -> list[str]:
        """What is not over of an execution."""
        if not record.open:
            return []
        store = client.house.store
        nodes = [read_node(row) for row in await store.nodes(record.id)]
        attempts = await store.attempts(record.id)
        lines = [f"{record.key.name} is {record.phase}, with {record.owner or 'nobody'}"]
        lines += [f"  {node}" for node in nodes if not node.phase.terminal]
        return lines + [f"  {attempt}" for attempt in attempts if attempt.open]

    # --- what must hold ---

    async def check(self, client: AsyncClient, executions: Mapping[int, int], phases: Mapping[int, str]) -> list[str]:
        """What is wrong with the store and the traces, once all has ended.

        Args:
            executions: Their inputs, by id.
            phases: How those ended that did not succeed.
        """
        store, faults, paths = client.house.store, list[str](), set[str]()
        for record in await store.executions(limit=100_000):
            faults += await self._faults_of(client, record)
            for attempt in await store.attempts(record.id):
                paths.add(f"{record.key.name}/{attempt.path}/{attempt.number}")
        for id, x in executions.items():
            record = await store.execution_by_id(id)
            wanted = phases.get(id, "succeeded")
            if record.phase != wanted:
                faults.append(f"{record.key.name} is {record.phase}, not {wanted}: {record.error}")
            elif wanted == "succeeded":
                found = await (await client.get(record.key.name)).result()
                if found != program.expected(x):
                    faults.append(f"{record.key.name} gave {found}, not {program.expected(x)}")
            await self.remember(client, id)
        return faults + self._traces(paths)

    async def _faults_of(self, client: AsyncClient, record: ExecutionRecord) -> list[str]:
        store, name = client.house.store, record.key.name
        rows: list[NodeState] = [read_node(row) for row in await store.nodes(record.id)]
        faults = [f"{name}/{row.path} is {row.phase}" for row in rows if not row.phase.terminal]
        attempts = await store.attempts(record.id)
        faults += [f"attempt {one.number} of {name}/{one.path} is open" for one in attempts if one.open]
        if record.open or record.owner or not NodePhase(record.phase).terminal:
            faults.append(f"{name} is {record.phase}, open {record.open}, with {record.owner or 'nobody'}")
        return faults

    def _traces(self, paths: set[str]) -> list[str]:
        """What the tasks wrote about themselves."""
        said = Counter[str]()
        faults = []
        for line in self._lines():
            word, _, prefix = line.split(" ", 2)
            *_, execution, node, number = prefix.rsplit("/", 3)
            said[word] += 1
            if word == "OVERLAP":
                faults.append(f"{execution}/{node} #{number} ran twice at the same time")
            if f"{execution}/{unquote(node.replace('.', '%'))}/{number}" not in paths:
                faults.append(f"{execution}/{node} #{number} ran, and has no row")
        if not said["end"]:
            faults.append("no task has run to its end")
        return faults

    def _lines(self) -> Iterator[str]:
        with (self.trace / "attempts.txt").open() as lines:
            yield from map(str.rstrip, lines)

    async def left(self) -> list[str]:
        """Processes that outlived all engines, and their temporary files; some seconds are given to them to end."""
        faults: list[str] = []
        for _ in range(100):
            faults = [f"process {pid} is left: {text}" for pid, text in self.processes()]
            faults += [f"{path.name} is left" for path in self.temporary.iterdir() if any(path.iterdir())]
            if not faults:
                break
            await asyncio.sleep(0.1)
        return faults

    def processes(self) -> Iterator[tuple[int, str]]:
        """Processes with the mark in their environment."""
        mark = f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100]


def kill(process: subprocess.Popen[bytes]) -> list[str]:
    """Kill an engine; what is wrong with how it lived."""
    alone = process.poll()
    process.send_signal(signal.SIGKILL)
    process.wait()
    return [f"an engine ended with {alone}, by itself"] if alone is not None else []


def stop(process: subprocess.Popen[bytes]) -> list[str]:
    """End an engine in good order; what is wrong with how it ends."""
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(30)
    except subprocess.TimeoutExpired:
        kill(process)
        return ["an engine did not end within 30 seconds of SIGTERM"]
    # Before it has begun to listen, the signal ends it as it ends any program.
    return [f"an engine ended with {code}"] if code not in (0, -signal.SIGTERM) else []
