"""A shell in a fresh directory, with a home of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.sdk.launch_plan import plans
from tests.integration.cli.programs import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "alula-home"))
    monkeypatch.setenv("SHOP_VARIABLE", "unset")  # so that what a command sets is undone
    before = set(sys.modules)
    yield Shell(tmp_path, "shop")
    plans.reset()
    for name in set(sys.modules) - before:
        if name.startswith(("shop", "other")):
            del sys.modules[name]
