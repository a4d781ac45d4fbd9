"""Tasks in containers whose files are in a bucket: they get in with what they are lent, and nobody else sees it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import boto3  # type: ignore[import-untyped]

from tests.integration.images.conftest import Place
from tests.servers.faulty import Fault, faulty
from tests.servers.images import ALULA

FLOWS = f'''
import os
from pathlib import Path
from alula import File, task, workflow

@task(container_image="{ALULA}")
def make(n: int) -> File:
    assert os.environ["AWS_ACCESS_KEY_ID"] != "engines-own" and os.environ["AWS_SESSION_TOKEN"]
    assert "engines-secret" not in os.environ.values()
    Path("out.txt").write_text("x" * n)
    return File("out.txt")

@task(container_image="{ALULA}")
def measured(f: File) -> int:
    print("a log")
    return len(Path(f).read_text())

@workflow
def main(n: int) -> int:
    return measured(f=make(n=n))
'''
TOML = """
data = "s3://boxes/alula"
[backends.routes]
python-task = "docker"
[backends.docker]
network = "host"
pull = "never"
[storage]
retries = 0
[storage.s3]
endpoint = "http://127.0.0.1:{port}"
access_key_id = "engines-own"
secret_access_key = "engines-secret"
[engine]
outage = "3s"
"""


def test_a_task_in_a_container_reads_and_writes_its_prefixes_with_what_it_is_lent(
    place: Place, s3_address: str
) -> None:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1", **keys).create_bucket(Bucket="boxes")
    with faulty(int(urlsplit(s3_address).port or 0)) as proxy:
        place.write("alula.toml", TOML.format(port=proxy.port))
        place.write("flows.py", FLOWS)
        said = place.run("--name", "lent", "flows.py", "main", "--n", "7")
        assert said.out.split()[0] == "7"

        asked = [parse_qs(body.decode()) for body in proxy.bodies if body.startswith(b"Version=2011")]
        assert [one["Action"] for one in asked] == [["AssumeRole"], ["AssumeRole"]]
        first, second = (one["Policy"][0] for one in asked)
        assert "arn:aws:s3:::boxes/alula/default/development/lent/n0/0/*" in first
        assert "lent/n1/" not in first
        assert re.search(r'"s3:GetObject"\],"Resource":\[[^]]*lent/n0/0/raw/[^]]*lent/n1/0', second)
        assert not re.search(r'"s3:PutObject"\],"Resource":\[[^]]*lent/n0/', second)

        answers = b"".join(proxy.answers).decode(errors="replace")
        lent = re.findall(r"<(?:AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)<", answers)
        assert len(lent) == 6
        kept = b"".join(path.read_bytes() for path in place.root.rglob("*") if path.is_file())
        kept += said.out.encode() + said.err.encode() + b"".join(_files(s3_address))
        assert not [secret for secret in lent if secret.encode() in kept]

        proxy.always(Fault(403, b"<Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>"), method="POST")
        place.fails(["run", "flows.py", "main", "--n", "7"], "no credentials for a task", "403: AccessDenied: Not you.")


def _files(address: str) -> list[bytes]:
    """All that was left in the bucket: inputs, outputs, logs."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    names = [one["Key"] for one in client.list_objects_v2(Bucket="boxes", Prefix="alula")["Contents"]]
    assert any(name.endswith("log.txt") for name in names)
    return [client.get_object(Bucket="boxes", Key=name)["Body"].read() for name in names]
