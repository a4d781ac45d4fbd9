"""Plugins of other distributions, found by their entry points, with the command line as users have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PLUGIN = """
from dataclasses import dataclass
from datetime import timedelta
from alula.idl import LiteralMap
from alula.idl.literals import string
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.phase import PhaseInfo

@dataclass(frozen=True)
class Settings:
    greeting: str = "hello"

class Greeter(SyncPlugin):
    info = PluginInfo("{name}", frozenset({{"greet"}}), settings=Settings)

    def __init__(self, settings):
        self.settings = settings

    async def do(self, task):
        inputs = await task.inputs()
        who = inputs.literals["who"].scalar.primitive.string_value
        return PhaseInfo.succeeded(LiteralMap(literals={{"said": string(f"{{self.settings.greeting}} {{who}}")}}))
"""

PROGRAM = """
from alula import kwtypes, workflow
from alula.sdk.prebuilt import PrebuiltTask, TemplateExecutor

class Nobody(TemplateExecutor):
    def execute(self, template, **inputs):
        raise AssertionError("a plugin runs it")

class Greet(PrebuiltTask):
    task_type = "greet"
    executor = Nobody

    def __init__(self, name):
        super().__init__(name, inputs=kwtypes(who=str), outputs=kwtypes(said=str))

greet = Greet("greet")

@workflow
def wf(who: str) -> str:
    return greet(who=who)
"""


class Place:
    """A directory with a program, settings, and distributions that are installed there."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.site = directory, directory / "site"
        self.site.mkdir()
        (directory / "flow.py").write_text(PROGRAM)

    def install(self, name: str, source: str, *, distribution: str) -> None:
        module = distribution.replace("-", "_")
        (self.site / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[alula.backends]\n{name} = {module}:Greeter\n")

    def alula(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PYTHONPATH": f"{self.site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "ALULA_HOME": str(self.directory / "home"),
            **variables,
        }
        command = [sys.executable, "-m", "alula.cli.main", *words]
        return subprocess.run(
            command, cwd=self.directory, env=environ, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_plugin_of_another_distribution_runs_its_tasks_with_the_operators_settings(place: Place) -> None:
    place.install("greeter", PLUGIN.format(name="greeter"), distribution="acme-greeter")
    done = place.alula("run", "flow.py", "wf", "--who", "you")
    assert done.returncode == 0, done.stderr
    assert "hello you" in done.stdout
    done = place.alula("run", "flow.py", "wf", "--who", "you", ALULA__BACKENDS__GREETER__GREETING="good morning")
    assert "good morning you" in done.stdout, done.stderr
    listed = json.loads(place.alula("plugin", "list", "-o", "json").stdout)
    [mine] = [one for one in listed if one["name"] == "greeter"]
    assert mine["kind"] == "sync"
    assert mine["distribution"] == "acme-greeter 1.0"
    assert mine["task_types"] == ["greet"]
    assert mine["state"] == "ready"


def test_two_that_claim_a_type_are_named_with_the_line_that_decides(place: Place) -> None:
    place.install("greeter", PLUGIN.format(name="greeter"), distribution="acme-greeter")
    place.install("other", PLUGIN.format(name="other"), distribution="other-greeter")
    failed = place.alula("run", "flow.py", "wf", "--who", "you")
    assert failed.returncode != 0
    for said in ("greeter (acme-greeter 1.0) and other (other-greeter 1.0)", 'greet = "other"', "[backends.routes]"):
        assert said in failed.stderr
    assert "claimed by" in place.alula("serve").stderr
    (place.directory / "alula.toml").write_text(
        '[backends.routes]\ngreet = "other"\n[backends.other]\ngreeting = "hi"\n'
    )
    done = place.alula("run", "flow.py", "wf", "--who", "you")
    assert "hi you" in done.stdout, done.stderr


def test_one_that_cannot_be_imported_is_said_to_be_broken_and_others_work(place: Place) -> None:
    place.install("greeter", PLUGIN.format(name="greeter"), distribution="acme-greeter")
    place.install("broken", "raise RuntimeError('no licence')", distribution="broken-greeter")
    done = place.alula("run", "flow.py", "wf", "--who", "you")
    assert "hello you" in done.stdout, done.stderr
    listed = place.alula("plugin", "list")
    assert listed.returncode == 1
    assert "RuntimeError: no licence" in listed.stdout


def test_an_unknown_key_says_what_there_is(place: Place) -> None:
    place.install("greeter", PLUGIN.format(name="greeter"), distribution="acme-greeter")
    (place.directory / "alula.toml").write_text('[backends.greeter]\ngreting = "x"\n')
    failed = place.alula("serve")
    assert "[backends.greeter] has no key 'greting'; did you mean 'greeting'?" in failed.stderr
