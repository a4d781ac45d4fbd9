"""Agents that tests start and kill, and attempts to give them: what the files of this folder share."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.json_format import ParseDict

from alula.backends.agent.jobs import AgentJob, Agents
from alula.data.stores import Objects
from alula.errors import RemoteError
from alula.hosting.secrets import Secrets
from alula.hosting.task import Lent, Task
from alula.idl import Identifier, LiteralMap, LiteralType, ResourceType, SimpleType, TaskTemplate, Variable, literals
from alula.plugin.phase import PhaseInfo
from alula.plugin.runner import AttemptId, Job

HERE = Path(__file__).resolve().parent
SECONDS = 100.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Agent:
    """A process that serves an agent, which can be killed and started again."""

    command: Sequence[str]
    port: int
    cwd: Path
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, env={**os.environ, **self.environ}, stdout=out, stderr=out
            )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(
            f"the agent did not come up; exit code {self.process.poll()}: {self.log.read_text()[-2000:]}"
        )

    def kill(self, signum: int = signal.SIGKILL) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signum)
        return self.process.wait(30)


@contextmanager
def agent(
    command: Callable[[int], Sequence[str]], directory: Path, *, cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Agent]:
    """An agent that runs inside the block; `command` makes its command line out of a port."""
    port = free_port()
    made = Agent(command(port), port, cwd, environ or {}, directory / f"agent-{port}.log")
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.kill()


@dataclass(slots=True)
class Journal:
    """What connectors wrote down."""

    path: Path

    def read(self, what: str) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]


@contextmanager
def flytekit_connectors(python: Path, directory: Path) -> Iterator[tuple[Agent, Journal]]:
    """`pyflyte serve connector` of real flytekit, with the connectors of this folder."""
    journal = Journal(directory / "journal.jsonl")
    home = HERE / "flytekit_connectors"
    metrics = free_port()

    def command(port: int) -> list[str]:
        serve = ["serve", "connector", "--port", str(port), "--prometheus_port", str(metrics), "--modules", "probes"]
        return [str(python), "-m", "flytekit.clis.sdk_in_container.pyflyte", *serve]

    environ = {"PROBE_JOURNAL": str(journal.path), "PYTHONPATH": str(home), "GRPC_VERBOSITY": "NONE"}
    with agent(command, directory, cwd=home, environ=environ) as made:
        yield made, journal


@contextmanager
def served(directory: Path, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[Agent]:
    """`alula agent serve` with the plugins of this folder; jobs are files in `directory/jobs`."""
    jobs = directory / "jobs"
    jobs.mkdir(exist_ok=True)
    home = HERE / "served"

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "alula.cli.main", "agent", "serve", "filejobs", "--port", str(port), *options]

    variables = {"FILE_JOBS": str(jobs), "PYTHONPATH": str(home), **(environ or {})}
    with agent(command, directory, cwd=home, environ=variables) as made:
        yield made


@dataclass(slots=True)
class Attempts:
    """Attempts as a host lends them to plugins."""

    directory: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    count: int = 0

    def __call__(
        self,
        task_type: str,
        *,
        version: int = 0,
        custom: Mapping[str, Any] | None = None,
        args: Sequence[str] = (),
        number: int = 0,
        fresh: bool = True,
        a: int = 4,
        text: Mapping[str, str] | None = None,
        execution: str = "",
        secret_names: Sequence[str] = (),
    ) -> Task:
        self.count += 1
        template = TaskTemplate(
            type=task_type,
            task_type_version=version,
            id=Identifier(resource_type=ResourceType.TASK, project="p", domain="development", name="t", version="v1"),
        )
        whole, words = LiteralType(simple=SimpleType.INTEGER), LiteralType(simple=SimpleType.STRING)
        given: LiteralMap = literals.literal_map({"a": literals.integer(a)})
        if text is not None:
            given = literals.literal_map({name: literals.string(value) for name, value in text.items()})
        for name in given.literals:
            kind = whole if text is None else words
            template.interface.inputs.variables[name].CopyFrom(Variable(type=kind))
        template.interface.outputs.variables["o0"].CopyFrom(Variable(type=whole))
        ParseDict(dict(custom or {}), template.custom)
        template.container.args.extend(args)
        for name in secret_names:
            template.security_context.secrets.add(key=name)
        if not args:
            template.ClearField("container")
        id = AttemptId("p", "development", execution or f"e{self.count}", "n0", number, "0badcafe")
        job = Job(id, template, given.SerializeToString(), f"{self.directory}/{id.name}", fresh=fresh, attempts=3)
        secrets = Secrets({f"ALULA_SECRET_{name.upper()}": value for name, value in self.secrets.items()})
        return Task(Lent(_Nobody(), Objects(), secrets, lambda secret: None), job)


class _Nobody:
    """Attempts that nobody drives are woken in vain."""

    def woken(self, id: AttemptId) -> None: ...

    def asks(self, id: AttemptId, pool: str, units: int) -> None: ...


async def followed(plugin: Agents, task: Task, key: AgentJob) -> list[PhaseInfo]:
    """What a job shows until it is over, without repetitions. Raises what its agent could not answer."""
    seen: list[PhaseInfo] = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        (told,) = await plugin.get([key])
        if isinstance(told, RemoteError):
            raise told
        info = plugin.phase(task, told)
        if not seen or seen[-1] != info:
            seen.append(info)
        if info.phase.terminal:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"not over after {SECONDS} s: {seen}")


def descriptors() -> bytes:
    """The agent service and all that it needs, as other languages load it: a FileDescriptorSet."""
    wanted = [descriptor_pool.Default().FindFileByName("flyteidl/service/agent.proto")]  # type: ignore[no-untyped-call]
    found: dict[str, Any] = {}
    while wanted:
        one = wanted.pop()
        if one.name not in found:
            found[one.name] = one
            wanted += one.dependencies
    ordered: list[Any] = []

    def put(one: Any) -> None:
        for other in one.dependencies:
            put(other)
        if one not in ordered:
            ordered.append(one)

    for one in found.values():
        put(one)
    made = descriptor_pb2.FileDescriptorSet()
    for one in ordered:
        one.CopyToProto(made.file.add())
    return made.SerializeToString()


@contextmanager
def node_agent(modules: Path, directory: Path) -> Iterator[Agent]:
    """The agent in JavaScript of this folder; `modules` is where its packages are."""
    described = directory / "agent.descriptors"
    described.write_bytes(descriptors())

    def command(port: int) -> list[str]:
        return ["node", str(modules / "agent.js"), str(port), str(described)]

    with agent(command, directory, cwd=modules) as made:
        yield made
