"""Tests as users of flytekit write them: they import flytekit, and get Alula's mirror of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula import compat

compat.install()  # before the test files of this directory are imported


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror, whatever other tests did to it, and a home of its own for what is cached and stored."""
    compat.install()
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
