"""Object stores that `alula.toml` names: the engine, its workers and local runs reach them; `alula doctor` tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

PROGRAM = """
from pathlib import Path
import alula

@alula.task
def make(n: int) -> alula.File:
    Path("out.txt").write_text("x" * n)
    return alula.File("out.txt")

@alula.task
def measured(f: alula.File) -> int:
    return len(Path(f).read_text())

@alula.workflow
def main(n: int) -> int:
    return measured(f=make(n=n))
"""
TOML = """
home = "home"
data = "s3://{bucket}/alula"
[storage]
retries = 0
connect_timeout = "2s"
[storage.s3]
endpoint = "{address}"
access_key_id = "key"
secret_access_key = "very secret"
"""


@pytest.fixture
def project(tmp_path: Path, s3_address: str) -> Path:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1", **keys).create_bucket(Bucket="storage")
    (tmp_path / "program.py").write_text(PROGRAM)
    configure(tmp_path, s3_address)
    return tmp_path


def configure(project: Path, address: str, bucket: str = "storage") -> None:
    (project / "alula.toml").write_text(TOML.format(address=address, bucket=bucket))


def alula(project: Path, *words: str, code: int = 0) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLYTE_", "ALULA_"))}
    command = [sys.executable, "-m", "alula.cli.main", *words]
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def told(project: Path, *, code: int = 0) -> dict[str, Any]:
    text = alula(project, "doctor", "--output", "json", code=code)
    assert "very secret" not in text
    found: dict[str, Any] = json.loads(text)["storage"]
    return found


def test_files_of_a_run_go_to_the_bucket_of_the_settings(project: Path) -> None:
    assert alula(project, "run", "program.py", "main", "--n", "7").split()[0] == "7"
    assert alula(project, "run", "--local", "program.py", "main", "--n", "8").split()[0] == "8"
    assert not (project / "s3:").exists()


def test_doctor_writes_reads_and_removes(project: Path, s3_address: str) -> None:
    found = told(project)
    assert (found["prefix"], found["scheme"], found["endpoint"]) == ("s3://storage/alula", "s3", s3_address)
    assert (found["state"], found["tasks"]) == ("ok", "limited")
    assert found["trouble"] == found["fix"] == ""
    text = alula(project, "doctor")
    assert "s3://storage/alula" in text
    assert "written, read, listed and deleted" in text
    assert "very secret" not in text


@pytest.mark.parametrize(
    ("address", "bucket", "said"),
    [("http://127.0.0.1:1", "storage", "cannot be reached"), ("", "nothing", "no bucket 'nothing'")],
)
def test_doctor_says_what_is_missing(project: Path, s3_address: str, address: str, bucket: str, said: str) -> None:
    configure(project, address or s3_address, bucket)
    found = told(project, code=1)
    assert found["state"] == "broken"
    assert said in found["trouble"]
    assert found["fix"]
    assert said in alula(project, "doctor", code=1)


def test_doctor_looks_at_directories_too(tmp_path: Path) -> None:
    (tmp_path / "alula.toml").write_text('home = "home"\ndata = "data"\n')
    found = told(tmp_path)
    assert (found["scheme"], found["state"]) == ("file", "ok")
    assert not list((tmp_path / "data").rglob("*.alula-doctor*"))
