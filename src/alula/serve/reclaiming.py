"""Plugins opened only to look at their remotes: for `alula leaks`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alula.errors import AlulaError
from alula.hosting.registry import RUNNER, Backends
from alula.hosting.secrets import Secrets
from alula.plugin.core import Plugin

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 30.0
"""For opening one, and for closing it."""


@dataclass(slots=True)
class Hosted:
    plugins: dict[str, Plugin] = field(default_factory=dict)
    """By name."""
    configured: set[str] = field(default_factory=set)
    """Those that settings name."""
    faults: list[str] = field(default_factory=list)
    """Why some of these could not be opened."""
    unasked: list[str] = field(default_factory=list)
    """Why some of the others could not."""


@asynccontextmanager
async def hosted(sections: Mapping[str, Any], directory: Path | None = None) -> AsyncIterator[Hosted]:
    """All plugins that take tasks here, opened.

    Args:
        sections: `[backends]` of the settings.
        directory: Of secrets, as `[secrets]` names it.
    """
    backends, secrets = Backends.of(sections), Secrets(os.environ, directory)
    here = Hosted()
    opened = here.plugins
    try:
        for known in await asyncio.to_thread(backends.everything):
            sure = backends.section(known) is not None or known.name in backends.routes.values()
            faults = here.faults if sure else here.unasked
            if sure:
                here.configured.add(known.name)
            if known.problem:
                faults.append(f"plugin {known.name} cannot be asked: {known.problem}")
            elif known.kind != RUNNER and backends.active(known):
                try:
                    plugin = backends.make(known.name)
                    plugin.secret = secrets.get  # type: ignore[method-assign]  # lent
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await plugin.open()
                    opened[known.name] = plugin
                except Exception as exc:  # noqa: BLE001 - the border to a plugin, which may raise anything
                    what = exc.what if isinstance(exc, AlulaError) else f"{type(exc).__name__}: {exc}"
                    faults.append(f"plugin {known.name} cannot be asked: {what}")
        yield here
    finally:
        for name, plugin in opened.items():
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await plugin.close()
            except Exception:
                log.warning("plugin.not_closed", extra={"plugin": name}, exc_info=True)
