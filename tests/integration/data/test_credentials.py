"""Credentials that are lent to tasks, used at the servers that gave them or must honour them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest

from alula._kits.bridge import run
from alula.config import Lending
from alula.data.credentials import lend, secrets
from alula.data.policies import policy
from alula.data.settings import Reach, StoreSettings
from alula.data.stores import Objects
from alula.errors import DataError
from tests.integration.conftest import s3_server
from tests.servers.faulty import Fault, Faulty, faulty

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A moto of its own that checks signatures, tokens and policies, with the bucket `box`."""
    with s3_server() as address:
        boto("s3", address, "key", "secret").create_bucket(Bucket="box")
        yield address


def boto(service: str, address: str, key: str, secret: str) -> Any:
    return boto3.client(
        service, endpoint_url=address, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


def guard(address: str, *, calls: int) -> None:
    """From so many calls on, moto lets nobody in who may not."""
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{address}/moto-api/reset-auth", str(calls).encode(), headers)
    with urllib.request.urlopen(request):
        pass


@pytest.fixture
def user(guarded: str) -> Iterator[tuple[Mapping[str, str], str]]:
    """Settings of a user who may assume any role, and the name of one that may do what `policy` says for `box/run`."""
    guard(guarded, calls=1_000_000)
    iam, name = boto("iam", guarded, "key", "secret"), f"u{uuid4().hex}"
    iam.create_user(UserName=name)
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sts:*", "s3:*"], "Resource": "*"}],
    }
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(document))
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    own = {"endpoint": guarded, "access_key_id": keys["AccessKeyId"], "secret_access_key": keys["SecretAccessKey"]}
    yield own, role
    guard(guarded, calls=1_000_000)


def test_what_is_lent_opens_the_tasks_prefixes_and_no_others(guarded: str, user: tuple[Mapping[str, str], str]) -> None:
    own, role = user
    reach = Reach(("s3://box/in",), ("s3://box/run/7",))
    # moto looks at the policies of roles and not at those of sessions, so the role is given the very text.
    iam = boto("iam", guarded, "key", "secret")
    iam.put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="task", PolicyDocument=policy(reach))
    guard(guarded, calls=0)
    owner = Objects(StoreSettings(s3=own))
    for uri in ("s3://box/in/x", "s3://box/in-other", "s3://box/run/8/x"):
        run(owner.write(uri, b"theirs"))

    variables = run(lend(StoreSettings(s3={**own, "task_role": role}), read=reach.read, write=reach.write, seconds=900))
    task = Objects(StoreSettings.from_env(variables))

    run(task.write("s3://box/run/7/out", b"mine"))
    run(task.write("s3://box/run/7/big", bytes(20_000_000)))
    assert run(task.read("s3://box/run/7/out")) == b"mine"
    assert run(task.read("s3://box/in/x")) == b"theirs"
    for call in (
        task.read("s3://box/in-other"),
        task.read("s3://box/run/8/x"),
        task.write("s3://box/in/x", b"1"),
        task.write("s3://box/run/8/x", b"1"),
        task.write("s3://box/run/70", b"1"),
        task.read("s3://other/x"),
    ):
        with pytest.raises(DataError, match="refused"):
            run(call)
    assert run(owner.read("s3://box/in/x")) == run(owner.read("s3://box/run/8/x")) == b"theirs"


def test_what_is_lent_is_worth_nothing_without_its_token(guarded: str, user: tuple[Mapping[str, str], str]) -> None:
    own, role = user
    settings = StoreSettings(s3={**own, "task_role": role}, retries=0)
    variables = dict(run(lend(settings, read=["s3://box/in"], write=[], seconds=900)))
    guard(guarded, calls=0)
    variables["AWS_SESSION_TOKEN"] = "x" * 300
    with pytest.raises(DataError, match="refused"):
        run(Objects(StoreSettings.from_env(variables)).read("s3://box/in/x"))


def test_wrong_keys_of_ones_own_are_told_without_them(guarded: str, user: tuple[Mapping[str, str], str]) -> None:
    own, role = user
    guard(guarded, calls=0)
    wrong = StoreSettings(s3={**own, "secret_access_key": "not-the-secret", "task_role": role})
    with pytest.raises(
        DataError, match=r"no credentials for a task: .* answered HTTP 403: SignatureDoesNotMatch"
    ) as caught:
        run(lend(wrong, read=["s3://box/in"], write=[], seconds=900))
    assert "not-the-secret" not in str(caught.value)
    assert "task_role" in caught.value.fix


@pytest.fixture
def asked(s3_address: str) -> Iterator[Faulty]:
    """In front of a moto, to see what it is asked."""
    with faulty(int(urlsplit(s3_address).port or 0)) as proxy:
        yield proxy


def form(proxy: Faulty) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(proxy.bodies[-1].decode()).items()}


@pytest.mark.parametrize(("seconds", "asked_for"), [(60, 900), (3600, 3600), (10**6, 43_200)])
def test_they_expire_when_the_task_does_within_what_the_service_allows(
    seconds: int, asked_for: int, asked: Faulty
) -> None:
    own = {"endpoint": f"http://127.0.0.1:{asked.port}", "access_key_id": "key", "secret_access_key": "secret"}
    reach = Reach(("s3://box/in",), ("s3://box/run/7",))
    run(lend(StoreSettings(s3=own), read=reach.read, write=reach.write, seconds=seconds, name="run 7/n0"))
    sent = form(asked)
    assert (sent["Action"], sent["DurationSeconds"], sent["RoleSessionName"]) == (
        "AssumeRole",
        str(asked_for),
        "run-7-n0",
    )
    assert sent["Policy"] == policy(reach)
    answer = asked.answers[-1].decode()
    expires = datetime.fromisoformat(answer.partition("<Expiration>")[2].partition("<")[0])
    assert abs(expires - datetime.now(UTC) - timedelta(seconds=asked_for)) < timedelta(seconds=60)


def test_the_token_of_a_workload_is_enough(asked: Faulty, tmp_path: Any) -> None:
    (tmp_path / "token").write_text("e30.e30.e30\n")
    environ = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{asked.port}",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "arn:aws-cn:iam::123456789012:role/engine",
    }
    variables = run(lend(StoreSettings.from_env(environ), read=["s3://box/in"], write=[], seconds=900))
    sent = form(asked)
    assert (sent["Action"], sent["WebIdentityToken"]) == ("AssumeRoleWithWebIdentity", "e30.e30.e30")
    assert sent["RoleArn"].endswith("role/engine")
    assert "arn:aws-cn:s3:::box/in/*" in sent["Policy"]
    assert set(variables) >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert not {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & variables.keys()


def test_keys_of_a_user_need_no_role(asked: Faulty) -> None:
    own = {"sts_endpoint": f"http://127.0.0.1:{asked.port}", "access_key_id": "key", "secret_access_key": "secret"}
    run(lend(StoreSettings(s3=own), read=["s3://box/in"], write=[], seconds=10**6, name="n" * 50))
    sent = form(asked)
    assert (sent["Action"], sent["Name"], sent["DurationSeconds"]) == ("GetFederationToken", "n" * 32, "129600")


def test_keys_of_a_session_need_a_role() -> None:
    own = {"access_key_id": "key", "secret_access_key": "secret", "session_token": "t"}
    with pytest.raises(DataError, match="through a role only"):
        run(lend(StoreSettings(s3=own), read=["s3://box/in"], write=[], seconds=900))


def test_a_service_that_is_busy_is_asked_again_and_one_that_fails_is_named(asked: Faulty) -> None:
    own = {"endpoint": f"http://127.0.0.1:{asked.port}", "access_key_id": "key", "secret_access_key": "secret"}
    settings = StoreSettings(s3=own, retries=1)
    asked.times(1, Fault(503))
    assert run(lend(settings, read=["s3://box/in"], write=[], seconds=900))
    asked.always(Fault(500, b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"))
    with pytest.raises(DataError, match="HTTP 500: InternalFailure"):
        run(lend(settings, read=["s3://box/in"], write=[], seconds=900))
    asked.always(Fault(200, b"<html>Welcome!</html>"))
    with pytest.raises(DataError, match="gave no credentials, but something else"):
        run(lend(settings, read=["s3://box/in"], write=[], seconds=900))
    asked.always(Fault(swallow=True))
    with pytest.raises(DataError, match="does not answer"):
        run(lend(settings, read=["s3://box/in"], write=[], seconds=900))


def test_a_task_finds_the_store_where_it_is_for_containers(s3_address: str) -> None:
    own = {
        "endpoint": s3_address,
        "access_key_id": "key",
        "secret_access_key": "secret",
        "region": "eu-north-1",
        "task_endpoint": "http://minio:9000",
        "virtual_hosted_style_request": "false",
    }
    for mode in Lending:
        variables = run(lend(StoreSettings(s3=own, tasks=mode), read=["s3://box/in", "/a/file"], write=[], seconds=900))
        made = StoreSettings.from_env(variables).s3
        assert (made["endpoint"], made["region"]) == ("http://minio:9000", "eu-north-1")
        assert made["virtual_hosted_style_request"] == "false"
        assert (made.get("access_key_id") == "key") is (mode is Lending.OWN)
        assert ("session_token" in made) is (mode is Lending.LIMITED)
        assert variables["FLYTE_AWS_ENDPOINT"] == variables["AWS_ENDPOINT_URL"] == "http://minio:9000"


def test_a_machine_with_an_identity_of_its_own_lends_addresses_only() -> None:
    settings = StoreSettings(s3={"region": "eu-north-1"}, az={"account_name": "a"})
    variables = run(lend(settings, read=["s3://b/x", "az://c/x", "gs://d/x"], write=[], seconds=900))
    assert variables == {"AWS_REGION": "eu-north-1", "AZURE_STORAGE_ACCOUNT_NAME": "a"}


def test_secrets_are_named_and_addresses_are_not(s3_address: str, caplog: pytest.LogCaptureFixture) -> None:
    own = {"endpoint": s3_address, "access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}
    with caplog.at_level(logging.DEBUG):
        variables = run(lend(StoreSettings(s3=own), read=["s3://box/in"], write=[], seconds=900))
    hidden = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert secrets(variables) == {variables[name] for name in hidden}
    assert not any(secret in caplog.text for secret in [*secrets(variables), "secret"])
    assert "secret" not in repr(StoreSettings(s3={"secret_access_key": "secret"}))


def test_a_process_of_another_program_gets_in_with_them(s3: Mapping[str, str]) -> None:
    variables = run(lend(StoreSettings(s3=s3), read=[], write=["s3://box/run/9"], seconds=900))
    program = "import boto3; boto3.client('s3').put_object(Bucket='box', Key='run/9/x', Body=b'theirs')"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLYTE_"))}
    environ = {**kept, "AWS_DEFAULT_REGION": "us-east-1", **variables}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True)
    assert run(Objects(StoreSettings(s3=s3)).read("s3://box/run/9/x")) == b"theirs"


# Azure, which checks signatures, permissions and times.


def test_azure_keeps_to_what_a_signature_allows_and_for_how_long(az: Mapping[str, str]) -> None:
    owner = Objects(StoreSettings(az=az))
    for uri in ("az://box/in/x", "az://other/x"):
        run(owner.write(uri, b"theirs"))
    settings = StoreSettings(az=az, retries=0)

    writer = Objects(
        StoreSettings.from_env(run(lend(settings, read=["az://box/in"], write=["az://box/run/7"], seconds=60)))
    )
    run(writer.write("az://box/run/7/x", b"mine"))
    assert run(writer.read("az://box/in/x")) == b"theirs"
    run(writer.delete("az://box/run/7/x"))
    with pytest.raises(DataError, match="refused"):
        run(writer.read("az://other/x"))

    reader = Objects(StoreSettings.from_env(run(lend(settings, read=["az://box/in"], write=[], seconds=60))))
    assert run(reader.read("az://box/in/x")) == b"theirs"
    for call in (reader.write("az://box/in/x", b"1"), reader.delete("az://box/in/x")):
        with pytest.raises(DataError, match="refused"):
            run(call)

    late = Objects(
        StoreSettings.from_env(run(lend(settings, read=["az://box/in"], write=[], seconds=-1))),
    )
    with pytest.raises(DataError, match=r"refused|expired"):
        run(late.read("az://box/in/x"))


def test_one_signature_is_for_one_container(az: Mapping[str, str]) -> None:
    with pytest.raises(DataError, match="several containers"):
        run(lend(StoreSettings(az=az), read=["az://box/in"], write=["az://other/x"], seconds=60))


def test_azure_needs_the_key_of_the_account() -> None:
    for own in ({"account_name": "a", "client_secret": "c"}, {"account_name": "a", "sas_key": "c"}):
        with pytest.raises(DataError, match="key of a storage account only"):
            run(lend(StoreSettings(az=own), read=["az://box/in"], write=[], seconds=60))
    with pytest.raises(DataError, match="not in base 64"):
        run(lend(StoreSettings(az={"account_name": "a", "account_key": "?"}), read=["az://b/x"], write=[], seconds=60))
