"""Agents that announce themselves over HTTP, where the operator wants that: with a token, for a lease at most."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from alula._kits.aio import to_thread
from alula._kits.clock import Clock
from alula.backends.agent.settings import Settings
from alula.errors import ConfigError, Rejected, RequestError
from alula.plugin import typed
from alula.plugin.announcing import put, read

log = logging.getLogger(__name__)

_BYTES = 256 * 1024
_LONGEST = timedelta(minutes=10)


def agent_routes(backends: Mapping[str, Any], clock: Clock) -> list[BaseRoute]:
    """`PUT /agents/<name>` with an announcement: 204 if it is kept; none, unless `[backends.agent]` names a token file.

    Raises:
        ConfigError: The token cannot be read.
    """
    section = backends.get("agent")
    if not isinstance(section, Mapping) or not section.get("announce_token_file"):
        return []
    try:
        settings = typed.read(section, Settings, what="[backends.agent]")
    except Rejected as exc:
        raise ConfigError(exc.what) from exc
    tokens = Path(settings.announce_token_file)
    _known(tokens)

    async def announced(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        known = await to_thread(_known, tokens)
        if not sum(hmac.compare_digest(given, one) for one in known):
            return PlainTextResponse("a valid token is missing", 401)
        size, parts = 0, []
        async for part in request.stream():
            size += len(part)
            parts.append(part)
            if size > _BYTES:
                return PlainTextResponse("too long", 413, headers={"Connection": "close"})
        try:
            said = read(json.loads(b"".join(parts)))
            if said.name != request.path_params["name"]:
                raise RequestError(f"it announces {said.name!r} as {request.path_params['name']!r}")
            said = replace(said, until=min(said.until, clock.now() + _LONGEST))
            await to_thread(put, settings.directory, said)
        except (ValueError, RequestError) as exc:
            return PlainTextResponse(str(exc), 400)
        except OSError as exc:
            log.warning("agent.not_kept", extra={"why": str(exc)})
            return PlainTextResponse("it cannot be kept now", 503, headers={"Retry-After": "5"})
        return Response(status_code=204)

    return [Route("/agents/{name}", announced, methods=["PUT"])]


def _known(path: Path) -> list[bytes]:
    try:
        found = [line.strip() for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as exc:
        raise ConfigError(f"announce_token_file cannot be read: {exc.strerror}", where=str(path)) from exc
    if not found:
        raise ConfigError("announce_token_file holds no token", where=str(path), fix="write one, a line each")
    return found
