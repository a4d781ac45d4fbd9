from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from alula.containers.engine import registries
from alula.errors import ConfigError


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("acme/tool:2", "docker.io/acme/tool:2"),
        ("localhost/x", "localhost/x:latest"),
        ("host:5000/x", "host:5000/x:latest"),
        ("ghcr.io/a/b@sha256:00", "ghcr.io/a/b@sha256:00"),
    ],
)
def test_an_image_has_a_registry_and_a_tag(image: str, full: str) -> None:
    assert registries.full_name(image) == full
    assert registries.registry_of(image) == full.partition("/")[0]


def test_secrets_hold_a_user_and_a_password_or_a_document() -> None:
    assert registries.of_text("me:a:b\n", "r") == {"username": "me", "password": "a:b"}
    assert registries.of_text('{"identitytoken": "t"}', "r") == {"identitytoken": "t"}
    with pytest.raises(ConfigError) as caught:
        registries.of_text("s3cret", "r")
    assert "s3cret" not in str(caught.value)


async def test_what_docker_login_has_left_is_used(tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:pw").decode()
    auths = {"host:5000": {"auth": auth}, "https://index.docker.io/v1/": {"identitytoken": "t"}, "odd": {"auth": "="}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert await registries.of_login("host:5000/x:1", environ) == {"username": "me", "password": "pw"}
    assert await registries.of_login("busybox", environ) == {"identitytoken": "t"}
    assert await registries.of_login("ghcr.io/x", environ) is None


async def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread r; echo "{\\"Username\\": \\"me\\", \\"Secret\\": \\"$r\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"ghcr.io": "test", "evil": "../x"}}))
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert await registries.of_login("ghcr.io/x", environ) == {"username": "me", "password": "ghcr.io"}
