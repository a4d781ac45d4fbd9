"""Lines about what happens."""

from __future__ import annotations

import threading

import click
import pytest

from alula.cli.progress import Progress


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""  # that is for results
    return captured.err.splitlines()


def test_a_node_that_ends_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for event, title in [("started", "clean"), ("succeeded", "clean"), ("started", "train"), ("failed", "train")]:
        progress.tell(event, title, "")
    assert lines(capsys) == ["✓ clean", "✗ train  failed"]


def test_another_attempt_is_a_line_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().tell("retrying", "train", "attempt 1 of 3 failed: no\nmore lines")
    assert lines(capsys) == ["↻ train  attempt 1 of 3 failed: no"]


def test_a_cached_node_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for event in ("started", "cached", "succeeded"):
        progress.tell(event, "clean", "")
    progress.tell("cached", "alone", "")
    assert lines(capsys) == ["✓ clean  cached", "✓ alone  cached"]


def test_what_takes_long_is_announced_once() -> None:
    said: list[str] = []
    spoken = threading.Event()

    def say(line: str) -> None:
        said.append(click.unstyle(line))
        spoken.set()

    progress = Progress(say, slow_seconds=0.02)
    with progress.watching():
        progress.tell("started", "slow", "")
        assert spoken.wait(10)
        progress.tell("succeeded", "slow", "")
    assert said[0] == "… slow  is running"
    assert len(said) == 2
    assert said[1].startswith("✓ slow")
