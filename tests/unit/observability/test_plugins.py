from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from alula.observability.metrics import Metrics
from tests.acceptance.plugins.plant import template, works
from tests.acceptance.plugins.recorder import Notes, Recorder


async def test_what_plugins_do_is_counted() -> None:
    notes = Notes(refuse={"finalize": 1})
    async with works([lambda: Recorder(notes)]) as here:
        metrics = Metrics(CollectorRegistry())
        metrics.read_plugins(here.hosts)
        record = await here.run(template("recorded"))
        await here.ended(record.id)
        while any(row.open for row in await here.store.attempts(record.id)):
            await asyncio.sleep(0.02)
        samples = await asyncio.to_thread(
            lambda: {
                (one.name, tuple(one.labels.values())): one.value
                for family in metrics.registry.collect()
                for one in family.samples
            }
        )
    assert samples["alula_plugin_calls_total", ("recorder", "handle")] == 2
    assert samples["alula_plugin_calls_total", ("recorder", "finalize")] == 2
    assert samples["alula_plugin_call_errors_total", ("recorder", "finalize")] == 1
    assert samples["alula_plugin_call_seconds_total", ("recorder", "handle")] > 0
    assert samples["alula_plugin_attempts", ("recorder",)] == 0
    assert samples["alula_plugin_disabled", ("recorder",)] == 0
