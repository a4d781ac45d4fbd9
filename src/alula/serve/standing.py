"""What a server does by itself, beside running what it is asked for: schedules, telling people of ends, and removing
what is old."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alula._kits import owners
from alula.admin.cron import check_zone
from alula.errors import ConfigError
from alula.serve.house import House
from alula.services.launching import Launchables
from alula.services.notices import Notices
from alula.services.places import Places
from alula.services.sweeps import Sweeps
from alula.services.ticks import Ticks


@asynccontextmanager
async def standing(house: House) -> AsyncIterator[None]:
    """Inside the block launch plans start at their times, people are told of ends, and what is old goes.

    Raises:
        ConfigError: `[schedules]`, `[notifications]` or `[resources]` cannot be.
    """
    config, desk = house.config, house.desk
    try:
        check_zone(config.schedules.timezone)
        launchables = Launchables(desk, Places(desk, config.resources), config.notifications.failures)
        notices = Notices(desk, config.notifications)
    except ValueError as exc:
        raise ConfigError(f"the settings cannot be: {exc}", where="[schedules], [notifications], [resources]") from exc
    owner = owners.of_this_process(secrets.token_hex(4))
    ticks = Ticks(desk, config.schedules, launchables, owner=owner)
    sweeps = Sweeps(desk, config.retention, config.cache.limit_bytes, owner=owner)
    running = [
        asyncio.create_task(ticks.run(), name="alula-schedules"),
        asyncio.create_task(notices.run(), name="alula-notices"),
        asyncio.create_task(sweeps.run(), name="alula-retention"),
    ]
    try:
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)
        await ticks.leave()
