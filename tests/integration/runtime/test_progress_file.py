"""A container keeps a file that says how far its task is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from alula.idl import Struct
from alula.runtime.arguments import parse
from alula.runtime.entrypoint import execute
from tests.integration.runtime.programs import Container

PROGRAM = """
import alula
from alula import task

@task
def steps() -> None:
    alula.progress(1, 4, "one")
    alula.progress(2, 4, "too soon after it")
"""


def test_what_the_task_says_lies_beside_its_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    container = Container(tmp_path)
    (tmp_path / "stepping.py").write_text(PROGRAM)
    words = ["--resolver", "alula.sdk.resolver.default", "--", "task-module", "stepping", "task-name", "steps"]
    arguments = parse(["alula-execute", *container.places({}), *words])
    assert execute(arguments) is None
    file = Path(arguments.output_prefix, "progress.pb")
    assert dict(Struct.FromString(file.read_bytes())) == {"done": 0.25, "message": "one"}
