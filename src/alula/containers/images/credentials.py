"""Who we are to registries: what `docker login` has left, as the headers of the Engine API.

Source: docker/cli, cli/config; moby, api/types/registry/authconfig.go.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alula.errors import ConfigError

_HUB = "https://index.docker.io/v1/"
"""What `docker login` calls the registry of images that name none."""
_TOKEN_USER = "<token>"
_HELPER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """The content of a `config.json`."""

    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    path: str = ""

    @classmethod
    def of(cls, path: str = "") -> Credentials:
        """Those in a file, or those of the user: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.

        Raises:
            ConfigError: A file that was asked for is not there; or one is no JSON.
        """
        own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
        found = Path(path).expanduser() if path else own
        try:
            content = json.loads(found.read_text())
        except FileNotFoundError as exc:
            if path:
                raise ConfigError(f"there is no {path} with credentials", fix="give registry_config= its path") from exc
            return cls()
        except (OSError, ValueError) as exc:
            raise ConfigError(f"credentials cannot be read: {exc}", where=str(found), fix="docker login anew") from exc
        return cls(content if isinstance(content, dict) else {}, str(found))

    async def header(self, image: str) -> str:
        """`X-Registry-Auth` for an image. Raises ConfigError."""
        return _encoded(await self._of(registry_of(image)) or {})

    async def all_header(self) -> str:
        """`X-Registry-Config`: for whatever a build may pull. Raises ConfigError."""
        names = {*self.config.get("auths", {}), *self.config.get("credHelpers", {})}
        found = {name: one for name in sorted(names) if (one := await self._of(name))}
        return _encoded(found)

    async def _of(self, registry: str) -> dict[str, str] | None:
        helper = self.config.get("credHelpers", {}).get(registry) or self.config.get("credsStore")
        if helper:
            return await _helped(helper, registry)
        auths = self.config.get("auths", {})
        given = next((auths[name] for name in _spellings(registry) if name in auths), None)
        if not given:
            return None
        if given.get("identitytoken"):
            return {"identitytoken": str(given["identitytoken"]), "serveraddress": registry}
        user, password = str(given.get("username", "")), str(given.get("password", ""))
        if given.get("auth"):
            try:
                user, _, password = base64.b64decode(str(given["auth"]), validate=True).decode().partition(":")
            except ValueError as exc:
                raise ConfigError(
                    f"the credentials of {registry} are no base64", where=self.path, fix=f"docker login {registry}"
                ) from exc
        return {"username": user, "password": password, "serveraddress": registry} if user else None


def registry_of(image: str) -> str:
    """The registry of an image, as `docker login` calls it."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else _HUB


def _spellings(registry: str) -> tuple[str, ...]:
    return registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"


async def _helped(helper: str, registry: str) -> dict[str, str] | None:
    """What a credential helper knows of a registry. Source: docker/docker-credential-helpers, README."""
    program = f"docker-credential-{helper}"
    try:
        process = await asyncio.create_subprocess_exec(
            program, "get", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(_HELPER_SECONDS):
            said, _ = await process.communicate(registry.encode())
    except (OSError, TimeoutError) as exc:
        raise ConfigError(
            f"{program}, which keeps the credentials of registries, does not answer: {exc}",
            fix="install it, or docker login without it",
        ) from exc
    if process.returncode:
        return None  # it knows nothing of that registry
    found = json.loads(said)
    if found.get("Username") == _TOKEN_USER:
        return {"identitytoken": found["Secret"], "serveraddress": registry}
    return {"username": found["Username"], "password": found["Secret"], "serveraddress": registry}


def _encoded(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
