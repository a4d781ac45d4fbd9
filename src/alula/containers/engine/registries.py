"""Who we are at registries: what settings say, and what `docker login` has left."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from alula.containers.engine.where import client_config
from alula.errors import ConfigError

HUB = "docker.io"
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_SECONDS = 20.0
_TOKEN = "<token>"
"""The name of a user whose password is an identity token. Source: docker-credential-helpers."""


def full_name(image: str) -> str:
    """An image's name with its registry and tag: `busybox` is `docker.io/library/busybox:latest`."""
    head, slash, _ = image.partition("/")
    has_host = slash and ("." in head or ":" in head or head == "localhost")
    name = image if has_host else f"{HUB}/{image}" if slash else f"{HUB}/library/{image}"
    if "@" in name or ":" in name.rpartition("/")[2]:
        return name
    return f"{name}:latest"


def registry_of(image: str) -> str:
    return full_name(image).partition("/")[0]


def of_text(text: str, registry: str) -> dict[str, str]:
    """Credentials out of a secret: `user:password`, or JSON with `username` and `password` or `identitytoken`.

    Raises:
        ConfigError: It is neither; never shows it.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and ({"username", "password"} <= found.keys() or "identitytoken" in found):
        return {name: str(value) for name, value in found.items()}
    user, colon, password = text.strip().partition(":")
    if colon and not isinstance(found, dict):
        return {"username": user, "password": password}
    raise ConfigError(
        f"the secret for the registry {registry} holds no credentials",
        where="registries in [backends.docker]",
        fix="write user:password into it",
    )


async def of_login(image: str, environ: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """What `docker login` has left for an image's registry, asked of its credential helper if one keeps it."""
    config: Mapping[str, Any] = client_config(environ)
    registry = registry_of(image)
    keys = _HUB_KEYS if registry == HUB else (registry, f"https://{registry}", f"https://{registry}/v1/")
    helpers = config.get("credHelpers") or {}
    for key in keys:
        helper = helpers.get(key) or config.get("credsStore")
        if helper and (asked := await _asked(str(helper), key)):
            return asked
        kept = (config.get("auths") or {}).get(key) or {}
        if kept.get("identitytoken"):
            return {"identitytoken": str(kept["identitytoken"])}
        if kept.get("auth"):
            try:
                user, _, password = base64.b64decode(kept["auth"]).decode().partition(":")
            except (binascii.Error, ValueError):
                continue
            return {"username": user, "password": password}
    return None


async def _asked(helper: str, key: str) -> dict[str, str] | None:
    program = shutil.which(f"docker-credential-{helper}") if _HELPER.fullmatch(helper) else None
    if program is None:
        return None
    process = await asyncio.create_subprocess_exec(
        program, "get", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_HELPER_SECONDS):
            said, _ = await process.communicate(key.encode())
        found = json.loads(said) if process.returncode == 0 else {}
    except (TimeoutError, ValueError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return None
    if found.get("Username") == _TOKEN:
        return {"identitytoken": str(found.get("Secret", ""))}
    if not found.get("Secret"):
        return None
    return {"username": str(found.get("Username", "")), "password": str(found["Secret"])}
