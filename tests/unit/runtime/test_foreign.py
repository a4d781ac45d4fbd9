"""What begins in an environment that has flytekit and not Alula."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from alula.runtime import foreign

_THEIRS = {"cython_runtime", "flyteidl", "google", "msgpack", "protoc_gen_openapiv2"}
"""Packages that flytekit needs itself."""

_ASK = """
import sys
before = set(sys.modules)
import alula.runtime.pyflyte
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names) - {"alula"}))
"""


def test_warm_workers_of_flytekit_need_no_package_that_flytekit_does_not_need() -> None:
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)
    strange = [name for name in done.stdout.split() if name not in _THEIRS and not name.startswith("_")]
    assert not strange


def test_what_was_meant_for_the_engine_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "PYTHONPATH": "/somewhere",
        "ALULA__STORE__URL": "postgresql://me:secret@db",
        "ALULA_SECRET_DB_PASSWORD": "secret",
        "ALULA__STORAGE__S3__ENDPOINT": "http://s3:9000",
        "_F_L_MIN_SIZE_MB": "1",
        "COLOUR": "blue",
        "PATH": "/bin",
    }
    monkeypatch.setattr(os, "environ", dict(given))
    foreign.plain_environment()
    programs = os.path.dirname(os.path.abspath(sys.executable))
    assert os.environ == {
        "ALULA__STORAGE__S3__ENDPOINT": "http://s3:9000",
        "COLOUR": "blue",
        "PATH": f"{programs}{os.pathsep}/bin",
    }
