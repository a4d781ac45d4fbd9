"""Tasks of flytekit's whose files are objects in a bucket, warm and fresh."""

from __future__ import annotations

from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest

from alula.admin.entities import Specs
from tests.integration.flytekit_tasks.theirs import engine

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that the settings lead to."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1", **keys).create_bucket(Bucket="flytekit")
    found = {"endpoint": s3_address, "access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}
    for key, value in found.items():
        monkeypatch.setenv(f"ALULA__STORAGE__S3__{key.upper()}", value)
    return "s3://flytekit/data"


def test_frames_files_errors_checkpoints_and_logs_lie_in_the_bucket(
    flytekit_python: Path, specs: Specs, bucket: str, tmp_path: Path
) -> None:
    with engine(tmp_path, flytekit_python, specs, data=f"{bucket}/warm") as here:
        data = here.run("data", rows=4, text="written", wait=False)
        going = here.run("goes_on", wait=False)
        failing = here.run("fails", text="bread", wait=False)
        double = here.run("double", x=4, wait=False)
        assert data.outputs == {"o0": 6, "o1": "written", "o2": 4}
        assert "no bread" in str(failing.wait(60).error)
        assert double.outputs == {"o0": 8}
        assert "doubling 4" in [line.text for line in double.logs()]
        assert going.outputs == {"o0": 2}


def test_fresh_processes_leave_their_files_in_the_bucket_too(
    flytekit_python: Path, specs: Specs, bucket: str, tmp_path: Path
) -> None:
    with engine(tmp_path, flytekit_python, specs, data=f"{bucket}/fresh", fresh=True) as here:
        going = here.run("goes_on", wait=False)
        failing = here.run("fails", text="bread", wait=False)
        assert going.outputs == {"o0": 2}
        assert "no bread" in str(failing.wait(60).error)
