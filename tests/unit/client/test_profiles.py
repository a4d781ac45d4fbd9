"""Which control plane is meant: by name, by variables, by files of our own and of Flyte's clients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alula.client.profiles import Profile, profile
from alula.client.signin import SignIn
from alula.errors import ConfigError

OURS = """
default = "team"
[team]
endpoint = "alula.example.org"
project = "sales"
token_file = "secret"
[here]
endpoint = "127.0.0.1:8089"
insecure = true
"""
YAML = "admin:\n  endpoint: dns:///flyte.example.org:8443\n  insecure: false\n  caCertFilePath: /ca.pem\n"
INI = "[platform]\nurl = old.example.org:81\ninsecure = true\n"


def found(home: Path, environ: Mapping[str, str] | None = None, **given: str) -> Profile:
    return profile(home / ".alula", environ={"HOME": str(home), **(environ or {})}, **given)


def ours(home: Path, text: str = OURS) -> None:
    (home / ".alula").mkdir()
    (home / ".alula" / "profiles.toml").write_text(text)
    (home / ".alula" / "secret").write_text("t0ken\n")


def flytes(home: Path, name: str, text: str) -> Path:
    (home / ".flyte").mkdir(exist_ok=True)
    (home / ".flyte" / name).write_text(text)
    return home / ".flyte" / name


def test_our_own_come_first_and_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    ours(tmp_path)
    flytes(tmp_path, "config.yaml", YAML)
    one = found(tmp_path)
    assert (one.endpoint, one.insecure, one.project, one.token) == ("alula.example.org:443", False, "sales", "t0ken")
    assert "t0ken" not in repr(one)
    assert found(tmp_path, {"ALULA_TOKEN": "other"}).token == "other"
    assert found(tmp_path, name="here").endpoint == "127.0.0.1:8089"
    assert found(tmp_path, {"ALULA_PROFILE": "here"}).insecure
    with pytest.raises(ConfigError, match="no profile 'away'") as caught:
        found(tmp_path, name="away")
    assert "here, team" in caught.value.fix


def test_what_flytes_clients_read_is_read(tmp_path: Path) -> None:
    flytes(tmp_path, "config", INI)
    assert (found(tmp_path).endpoint, found(tmp_path).insecure) == ("old.example.org:81", True)
    flytes(tmp_path, "config.yaml", YAML)
    one = found(tmp_path)
    assert (one.endpoint, one.insecure, one.ca) == ("flyte.example.org:8443", False, "/ca.pem")
    other = flytes(tmp_path, "other.yaml", "admin: {endpoint: 'localhost:1', insecure: true}")
    assert found(tmp_path, {"FLYTECTL_CONFIG": str(other)}).endpoint == "localhost:1"
    variables = {"FLYTE_PLATFORM_URL": "env.example.org", "FLYTE_PLATFORM_INSECURE": "True"}
    assert found(tmp_path, variables).endpoint == "env.example.org:80"
    assert found(tmp_path, variables, endpoint="127.0.0.1:9").insecure
    assert found(tmp_path, endpoint="https://x.example.org/").endpoint == "x.example.org:443"


CLIENT = """
admin:
  endpoint: flyte.example.org
  authType: ClientSecret
  clientId: ann
  clientSecretLocation: {place}
"""


def test_how_flytes_clients_sign_in_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    flytes(tmp_path, "config.yaml", CLIENT.format(place=tmp_path / "secret"))
    assert found(tmp_path).sign_in == SignIn(client_id="ann", client_secret="s3cret")
    assert "s3cret" not in repr(found(tmp_path))
    flytes(tmp_path, "config.yaml", "admin:\n  endpoint: x\n  authType: ExternalCommand\n  command: [cat, a b]\n")
    assert found(tmp_path).sign_in == SignIn(("cat", "a b"))
    given = {"FLYTE_CREDENTIALS_AUTH_MODE": "external_process", "FLYTE_CREDENTIALS_COMMAND": "echo token"}
    assert found(tmp_path, {**given, "FLYTE_PLATFORM_URL": "x"}).sign_in == SignIn(("echo", "token"))
    flytes(tmp_path, "config.yaml", "admin:\n  endpoint: x\n  authType: Pkce\n")
    assert found(tmp_path).sign_in is None
    flytes(tmp_path, "config.yaml", CLIENT.format(place=tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="secret of the client cannot be read"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a]\nproject = 'x'", "has no endpoint"),
        ("[a]\nendpoint = 'x'\nport = 3", "port: cannot be"),
        ("default = 'b'\n[a]\nendpoint = 'x'", "there is no profile 'b'"),
        ("[a", "cannot be read"),
        ("[a]\nendpoint = 'x'\ntoken_file = 'gone'", "the token cannot be read"),
    ],
)
def test_what_is_wrong_with_profiles_is_said(tmp_path: Path, text: str, why: str) -> None:
    ours(tmp_path, text)
    with pytest.raises(ConfigError, match=why):
        found(tmp_path)


def test_nothing_known_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no control plane is known") as caught:
        found(tmp_path)
    assert "--endpoint" in caught.value.fix
    with pytest.raises(ConfigError, match="is not there"):
        found(tmp_path, {"FLYTECTL_CONFIG": str(tmp_path / "gone.yaml")})
    with pytest.raises(ConfigError, match="is no address"):
        found(tmp_path, endpoint="host/path:1")
