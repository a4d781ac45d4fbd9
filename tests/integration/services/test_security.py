"""Who may call, from where, and how the real flytekit signs in."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from alula.client.profiles import Profile
from alula.client.remote import Remote
from alula.client.signin import SignIn
from alula.errors import NotSignedIn, RemoteError
from alula.idl.service import ProjectListRequest
from tests.integration.agents.certificates import Authority
from tests.integration.services.client import in_flytekit
from tests.servers.control_plane import ControlPlane, control_plane

SIGNED_IN = """
from flytekit.configuration import AuthType
ways = {ways}
found = dict()
for name, way in ways.items():
    try:
        page, _ = remote(**way).client.list_task_ids_paginated("p", "d", limit=3)
        found[name] = [one.name for one in page]
    except BaseException as exc:
        found[name] = type(exc).__name__
answer(**found)
"""


def alula(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alula.cli.main", *words]
    return subprocess.run(command, cwd=home, env={"ALULA_HOME": str(home), "PATH": ""}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, str]]:
    """A server that wants tokens, and one that it takes."""
    home = tmp_path_factory.mktemp("guarded")
    made = alula("token", "new", "ann", "--file", str(home / "tokens"), home=home)
    assert made.returncode == 0, made.stderr
    with control_plane(home, environ={"ALULA__SERVER__TOKENS": str(home / "tokens")}) as server:
        yield server, made.stdout.strip()


def test_a_token_is_kept_as_a_digest_and_can_be_taken_back(tmp_path: Path) -> None:
    made = alula("token", "new", "ann", home=tmp_path)
    token = made.stdout.strip()
    assert token.startswith("alula_")
    assert token not in (tmp_path / "tokens").read_text()
    assert (tmp_path / "tokens").stat().st_mode & 0o077 == 0
    again = alula("token", "new", "ann", home=tmp_path)
    assert (again.returncode, "has a token already" in again.stderr) == (2, True)
    assert alula("token", "list", home=tmp_path).stdout == "ann\n"
    rolled = alula("token", "roll", "ann", "--expires", "90d", "--keep", "0s", home=tmp_path)
    assert rolled.returncode == 0, rolled.stderr
    assert rolled.stdout.strip() not in ("", token)
    listed = [one.split("  ") for one in alula("token", "list", home=tmp_path).stdout.splitlines()]
    assert [(name, end.split()[0]) for name, end in listed] == [("ann", "ended"), ("ann", "until")]
    assert alula("token", "drop", "ann", home=tmp_path).returncode == 0
    assert alula("token", "list", home=tmp_path).stdout == ""


def test_http_asks_for_a_token_and_takes_it_back_at_once(guarded: tuple[ControlPlane, str]) -> None:
    server, token = guarded
    me = f"{server.http}/me"
    assert httpx.get(me).status_code == 401
    assert httpx.get(me, headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert httpx.get(me, headers={"Authorization": f"Bearer {token}"}).json()["subject"] == "ann"
    other = alula("token", "new", "bob", "--file", str(server.home / "tokens"), home=server.home).stdout.strip()
    assert httpx.get(me, headers={"Authorization": f"Bearer {other}"}).json()["subject"] == "bob"
    alula("token", "drop", "bob", "--file", str(server.home / "tokens"), home=server.home)
    assert httpx.get(me, headers={"Authorization": f"Bearer {other}"}).status_code == 401
    assert httpx.get(f"{server.http}/healthcheck").status_code == 200


def test_a_token_is_fetched_for_a_name_and_a_secret(guarded: tuple[ControlPlane, str]) -> None:
    server, token = guarded
    url = f"{server.http}/oauth2/token"
    form = {"grant_type": "client_credentials"}
    assert httpx.post(url, data=form, auth=("ann", token)).json()["access_token"] == token
    assert httpx.post(url, data=form, auth=("bob", token)).status_code == 401
    assert httpx.post(url, data=form, auth=("ann", "nonsense")).json() == {"error": "invalid_client"}
    assert httpx.post(url, data={"grant_type": "password"}).status_code == 400


def test_the_real_client_signs_in(guarded: tuple[ControlPlane, str], flytekit_python: Path, tmp_path: Path) -> None:
    server, token = guarded
    ways = f"""dict(
        secret=dict(auth_mode=AuthType.CLIENTSECRET, client_id="ann", client_credentials_secret={token!r}),
        command=dict(auth_mode=AuthType.EXTERNALCOMMAND, command=["echo", {token!r}]),
        wrong=dict(auth_mode=AuthType.CLIENTSECRET, client_id="ann", client_credentials_secret="nonsense"),
    )"""
    said = in_flytekit(flytekit_python, server, tmp_path, SIGNED_IN.format(ways=ways), project="p")
    assert (said["secret"], said["command"]) == ([], [])
    assert "Error" in said["wrong"] or "Exception" in said["wrong"]


def test_our_own_client_signs_in_as_flytes_configuration_says(guarded: tuple[ControlPlane, str]) -> None:
    server, token = guarded
    secret = SignIn(client_id="ann", client_secret=token)
    wrong = SignIn(client_id="ann", client_secret="nonsense")
    asked = ProjectListRequest(limit=1)
    for way in (secret, SignIn(("echo", token))):
        with Remote(Profile(server.grpc, insecure=True, sign_in=way)) as remote:
            remote.call("ListProjects", asked)
    with Remote(Profile(server.grpc, insecure=True, sign_in=wrong)) as remote, pytest.raises(NotSignedIn, match="ann"):
        remote.call("ListProjects", asked)
    with Remote(Profile(server.grpc, insecure=True)) as remote, pytest.raises(NotSignedIn, match="token is missing"):
        remote.call("ListProjects", asked)


def test_both_ports_speak_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority", "root")
    signed = authority.sign("server")
    environ = {"ALULA__SERVER__CERT": signed.cert, "ALULA__SERVER__KEY": signed.key}
    with control_plane(tmp_path / "tls", environ=environ) as server:
        assert server.http.startswith("https://")
        trusted = ssl.create_default_context(cafile=authority.path)
        assert httpx.get(f"{server.http}/healthcheck", verify=trusted).text == "ok"
        credentials = grpc.ssl_channel_credentials(Path(authority.path).read_bytes())
        with grpc.secure_channel(server.grpc, credentials) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert check(b"", timeout=10) == b"\x08\x01"


def test_callers_show_certificates_where_an_authority_is_named(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours", "root"), Authority(tmp_path / "others", "root")
    signed, known, unknown = ours.sign("server"), ours.sign("ann"), others.sign("eve")
    environ = {"CERT": signed.cert, "KEY": signed.key, "CLIENT_CA": ours.path}
    with control_plane(tmp_path / "tls", environ={f"ALULA__SERVER__{k}": v for k, v in environ.items()}) as server:
        with Remote(Profile(server.grpc)) as remote, pytest.raises(RemoteError, match="whom this client trusts"):
            remote.call("ListProjects", ProjectListRequest(limit=1))
        for caller in (None, unknown):
            context = ssl.create_default_context(cafile=ours.path)
            if caller is not None:
                context.load_cert_chain(caller.cert, caller.key)
            with pytest.raises(httpx.HTTPError):
                httpx.get(f"{server.http}/healthcheck", verify=context)
            pair = {} if caller is None else {"cert": caller.cert, "key": caller.key}
            with Remote(Profile(server.grpc, ca=ours.path, **pair)) as remote, pytest.raises(RemoteError):
                remote.call("ListProjects", ProjectListRequest(limit=1))
        (tmp_path / "words").write_text("hello")
        with Remote(Profile(server.grpc, ca=ours.path, cert=known.cert, key=known.key)) as remote:
            remote.call("ListProjects", ProjectListRequest(limit=1))
            assert remote.upload(tmp_path / "words", project="p", domain="d").endswith("/words")


@pytest.mark.parametrize(
    ("options", "settings", "reason"),
    [
        (["--grpc", "0.0.0.0:0"], {}, "everybody there could run programs here"),
        (["--grpc", "0.0.0.0:0"], {"ALULA__SERVER__TOKENS": "tokens"}, "tokens would travel there in plain text"),
    ],
)
def test_a_server_refuses_to_listen_where_it_should_not(
    tmp_path: Path, options: list[str], settings: dict[str, str], reason: str
) -> None:
    (tmp_path / "tokens").write_text("ann " + "00" * 32 + "\n")
    command = [sys.executable, "-m", "alula.cli.main", "serve", *options, "--data", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env={"ALULA_HOME": str(tmp_path), "PATH": "", **settings}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert "fix:" in done.stderr
