"""Crash points: an engine that dies at any of them loses nothing, and its successor ends what it began."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import alula.engine.crash as crash
from alula.errors import ConfigError

ENGINE = Path(crash.__file__).parent


def test_the_list_of_labels_is_complete_and_each_is_used() -> None:
    used = {
        label
        for file in ENGINE.rglob("*.py")
        for label in re.findall(r'crash_point\("([^"]+)"\)', file.read_text(encoding="utf-8"))
    }
    assert used == set(crash.POINTS)


def test_a_handler_is_told_until_it_is_taken_away() -> None:
    seen: list[str] = []
    take_away = crash.install(seen.append)
    crash.crash_point("commit.before")
    take_away()
    take_away()
    crash.crash_point("commit.after")
    assert seen == ["commit.before"]


@pytest.mark.parametrize("value", ["nowhere", "commit.before:x", ":1"])
def test_a_label_that_there_is_not_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(crash.VARIABLE)):
        crash.arm({crash.VARIABLE: value})


def test_a_process_kills_itself_where_the_environment_says() -> None:
    code = """
import os
from alula.engine.crash import arm, crash_point
arm(os.environ)
for nth in range(5):
    print(nth, flush=True)
    crash_point("commit.before")
"""
    env = {**os.environ, crash.VARIABLE: "commit.before:3"}
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (-9, ["0", "1", "2"])
