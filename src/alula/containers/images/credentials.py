"""Who we are to registries, as the headers that builds and pushes take.

Source: moby, api/types/registry/authconfig.go; POST /build of the Docker Engine API.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alula.containers.engine.registries import HUB, of_login, registry_of
from alula.errors import ConfigError

_FILE = "config.json"
_HUB_ADDRESS = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What `docker login` has left for the user, or in a directory of one's own."""

    environ: Mapping[str, str]

    @classmethod
    def of(cls, path: str = "") -> Credentials:
        """Those in a `config.json`; without a path those of the user. Raises ConfigError."""
        if not path:
            return cls(os.environ)
        found = Path(path).expanduser().absolute()
        if found.name != _FILE or not found.is_file():
            raise ConfigError(
                f"registry_config={path!r} is no {_FILE} that `docker login` could have written",
                where=str(found),
                fix=f"docker --config DIRECTORY login REGISTRY, and name DIRECTORY/{_FILE}",
            )
        return cls({**os.environ, "DOCKER_CONFIG": str(found.parent)})

    async def header(self, image: str) -> str:
        """`X-Registry-Auth` for an image."""
        return _encoded(await of_login(image, self.environ) or {})

    async def for_build(self, base: str) -> str:
        """`X-Registry-Config` for a build on that base image."""
        found = await of_login(base, self.environ)
        registry = registry_of(base)
        address = _HUB_ADDRESS if registry == HUB else registry
        return _encoded({address: {**found, "serveraddress": address}} if found else {})


def _encoded(content: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
