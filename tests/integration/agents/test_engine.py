"""`alula run` with tasks that real connectors of flytekit run: outcomes, outages, kills, aborts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.agents.agents import HERE, SECONDS, Agent, Journal, flytekit_connectors, free_port, served

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[engine]
lease = "2s"

[backends.agent]
refresh = "1s"

[backends.agent.endpoints.probes]
address = "{address}"
plaintext = true

[backends.routes]
sensor = "agent"
"""


@dataclass(slots=True)
class Desk:
    """A directory with settings, where commands are given."""

    home: Path
    agent: Agent
    journal: Journal

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "alula.cli.main", *words]

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "ALULA_HOME": str(self.home / "alula"), "NO_COLOR": "1"}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.home,
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def say(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words),
            cwd=self.home,
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout

    def run(self, workflow: str, *words: str, code: int = 0) -> str:
        running = self.begin("run", str(HERE / "flow.py"), workflow, *words)
        out, _ = running.communicate(timeout=SECONDS)
        assert running.returncode == code, out
        return out

    def until(self, what: Callable[[], bool], why: str) -> None:
        _until(what, why)

    def jobs(self, what: str) -> list[str]:
        return [one["job"] for one in self.journal.read(what)]


@pytest.fixture
def desk(flytekit_python: Path, tmp_path: Path) -> Iterator[Desk]:
    with flytekit_connectors(flytekit_python, tmp_path) as (agent, journal):
        (tmp_path / "alula.toml").write_text(CONFIG.format(address=agent.address))
        yield Desk(tmp_path, agent, journal)


def test_a_workflow_of_jobs_in_two_versions_and_answers_at_once(desk: Desk) -> None:
    assert "82" in desk.run("main", "--x", "4")
    assert desk.jobs("delete") == []
    assert "attempt 1 of 2 failed: the cluster went away" in desk.run("retried", "--x", "1")


def test_a_sensor_ends_when_its_file_is_there(desk: Desk) -> None:
    awaited = desk.home / "arrived"
    running = desk.begin("run", str(HERE / "flow.py"), "waiting", "--path", str(awaited))
    awaited.write_text("here")
    out, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, out


def test_a_connector_that_is_killed_while_its_job_runs_costs_nothing(desk: Desk) -> None:
    running = desk.begin("run", str(HERE / "flow.py"), "long", "--x", "4", "--name", "outage")
    desk.until(lambda: "probe.example" in desk.say("get", "attempts", "outage"), "the job's link is not shown")
    desk.agent.kill()
    desk.until(lambda: "does not answer since" in desk.say("why", "outage"), "nobody says why it goes no further")
    assert running.poll() is None
    desk.journal.path.with_suffix(".gate").touch()
    desk.agent.start()
    out, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, out
    assert "40" in out
    assert len(desk.jobs("create")) == 1


def test_tasks_wait_for_a_connector_that_is_down_and_say_so(desk: Desk) -> None:
    desk.run("main", "--x", "1")
    before = len(desk.jobs("create"))
    desk.agent.kill()
    running = desk.begin("run", str(HERE / "flow.py"), "main", "--x", "4", "--name", "waits")
    desk.until(lambda: "does not answer since" in desk.say("why", "waits"), "nobody says why")
    assert f"agent probes at {desk.agent.address} does not answer since" in desk.say("why", "waits")
    desk.agent.start()
    out, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, out
    assert "82" in out
    assert len(desk.jobs("create")) == before + 2


def test_an_abort_reaches_the_connector(desk: Desk) -> None:
    running = desk.begin("run", str(HERE / "flow.py"), "forever", "--x", "4", "--name", "stopped")
    desk.until(lambda: len(desk.jobs("create")) == 1, "the job was not started")
    desk.say("abort", "stopped")
    out, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 3, out
    assert desk.jobs("delete") == desk.jobs("create")


def test_an_engine_that_is_killed_finds_its_job_again(desk: Desk) -> None:
    running = desk.begin("run", str(HERE / "flow.py"), "long", "--x", "4", "--name", "resumed")
    desk.until(lambda: len(desk.jobs("create")) == 1, "the job was not started")
    desk.until(lambda: "probe.example" in desk.say("get", "attempts", "resumed"), "the job's link is not shown")
    running.send_signal(signal.SIGKILL)
    running.wait(SECONDS)
    desk.journal.path.with_suffix(".gate").touch()
    engine = desk.begin("serve")
    try:
        desk.until(lambda: "succeeded" in desk.say("get", "executions"), "it did not go on")
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.communicate(timeout=SECONDS)
    assert len(desk.jobs("create")) == 1


def test_an_agent_announces_itself_to_an_engine_over_http(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "tokens").write_text("right-token\n")
    (tmp_path / "alula.toml").write_text(
        f'[callbacks]\nlisten = "127.0.0.1:{port}"\n[backends.agent]\nannounce_token_file = "{tmp_path / "tokens"}"\n'
    )
    engine = Agent([sys.executable, "-m", "alula.cli.main", "serve"], port, tmp_path, {}, tmp_path / "serve.log")
    engine.environ = {"ALULA_HOME": str(tmp_path / "alula"), "NO_COLOR": "1"}
    known = tmp_path / "alula" / "agents" / "files.agent.json"
    try:
        engine.start()
        options = ("--register", f"http://127.0.0.1:{port}", "--name", "files", "--register-token")
        with served(tmp_path, *options, "wrong-token") as agent:
            _until(lambda: "401 a valid token is missing" in agent.log.read_text())
        assert not known.exists()
        with served(tmp_path, *options, "right-token") as agent:
            _until(known.exists)
            assert agent.address in known.read_text()
    finally:
        engine.kill(signal.SIGTERM)


def _until(what: Callable[[], bool], why: str = "it did not come to pass") -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)
