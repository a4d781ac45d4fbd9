"""A process that ends right after its last write ends well."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

PROGRAM = """
import asyncio, sys
sys.setswitchinterval(100)  # threads get the lock of the interpreter only when it is let go
from alula.data.stores import Objects
asyncio.run(Objects().write("s3://box/last", b"1"))
"""
TRIES = 16
"""Of which several would abort."""


def test_processes_that_have_just_written_do_not_abort(s3_of_node: Mapping[str, str]) -> None:
    environ = {**os.environ, "AWS_ENDPOINT_URL": s3_of_node["endpoint"]}
    environ |= {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
    codes = [subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=False).returncode for _ in range(TRIES)]
    assert codes == [0] * TRIES
