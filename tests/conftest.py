"""What every test may use, and the honest list of what could not run.

A skipped test is a test that was left out. The run prints all of them at its end, grouped by reason; with `CI=true`
they fail it. A test that needs something a machine may lack asks through `needs`, or through a fixture that does.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("alula", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("alula")


def needs(what: str, why: str) -> NoReturn:
    """Leaves the running test out because the machine lacks `what`; say in `why` how to get it."""
    pytest.skip(f"needs {what}: {why}")


@pytest.fixture(scope="session")
def flytekit_python() -> Path:
    """A Python that has the real flytekit of requirements-flytekit.lock.

    `ALULA_FLYTEKIT_PYTHON` names a ready one. Otherwise the environment is made once, below `.envs/`, and made
    again when the lock changes.
    """
    given = os.environ.get("ALULA_FLYTEKIT_PYTHON")
    if given:
        return Path(given)
    lock = ROOT / "requirements-flytekit.lock"
    home = ROOT / ".envs" / "flytekit"
    python, stamp = home / "bin" / "python", home / ".lock-sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with alone(home):
        if not stamp.exists() or stamp.read_text() != digest:
            shutil.rmtree(home, ignore_errors=True)
            install = [str(python), "-m", "pip", "install", "-qq", "--no-compile", "-r", str(lock)]
            for command in ([sys.executable, "-m", "venv", str(home)], install):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
                    needs("real flytekit", f"pip could not install requirements-flytekit.lock ({' '.join(last)})")
            stamp.write_text(digest)
    return python


@pytest.fixture(scope="session")
def pyright() -> list[str]:
    """The command that runs pyright, which is a node program behind a Python package."""
    command = [sys.executable, "-m", "pyright"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    if done.returncode:
        needs("pyright", "it wants node on the PATH, and npm's registry once")
    return command


# The list of what was left out.


class LeftOut:
    """Collects skipped tests by reason, prints them, and fails the run where nothing may be left out."""

    def __init__(self, *, strict: bool, report: Path | None) -> None:
        self.strict, self.report = strict, report
        self.by_reason: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._add(report)

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        self.by_reason[reason.removeprefix("Skipped: ")].append(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        if (
            self.by_reason
            and self.strict
            and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.by_reason and self.report:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            with self.report.open("a") as out:
                out.writelines(f"{line}\n" for line in self._lines())
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.by_reason:
            return
        terminalreporter.section("left out")
        for line in self._lines():
            terminalreporter.write_line(line)
        if self.strict:
            terminalreporter.write_line("CI=true: nothing may be left out, so this run fails.", red=True)

    def _lines(self) -> list[str]:
        return [
            f"{len(tests):4} x {reason}  (first: {tests[0] or 'a whole file'})"
            for reason, tests in sorted(self.by_reason.items())
        ]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Inside the block nobody else makes what lies at `home`: tests may run in several processes."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # of several processes: the first one, which runs none itself, keeps the list
        return
    report = os.environ.get("ALULA_LEFT_OUT")
    strict = os.environ.get("CI", "").lower() in {"1", "true"}
    config.pluginmanager.register(LeftOut(strict=strict, report=Path(report) if report else None), "left-out")
