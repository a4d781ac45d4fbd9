"""All that is said of the attempts of an execution: by themselves, by their plugins, by pools, by the clean-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alula.admin.desk import Desk
from alula.plugin.showing import NOTHING_SHOWN, Shown, read
from alula.store.records import ProgressRecord, StuckRecord

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Said:
    """Of one attempt."""

    done: float | None = None
    """From 0 to 1."""
    message: str = ""
    quota: str = ""
    """What of a pool it waits for."""
    shown: Shown = NOTHING_SHOWN
    """By its plugin."""
    stuck: str = ""


@dataclass(frozen=True, slots=True)
class Sayings:
    """Of one execution, by path and number."""

    progress: Mapping[Key, ProgressRecord] = field(default_factory=dict)
    shown: Mapping[Key, Shown] = field(default_factory=dict)
    quotas: Mapping[Key, str] = field(default_factory=dict)
    stuck: Mapping[Key, StuckRecord] = field(default_factory=dict)

    @property
    def reports(self) -> Mapping[Key, str]:
        """One sentence for each attempt of which there is one."""
        found = {key: shown.reason for key, shown in self.shown.items() if shown.reason}
        found.update((key, row.message) for key, row in self.progress.items() if row.message)
        found.update((key, _stuck(row)) for key, row in self.stuck.items())
        return found

    def of(self, key: Key) -> Said:
        told, shown, stuck = self.progress.get(key), self.shown.get(key, NOTHING_SHOWN), self.stuck.get(key)
        return Said(
            done=told.done if told is not None and told.done is not None else shown.progress,
            message=told.message if told is not None else "",
            quota=self.quotas.get(key, ""),
            shown=shown,
            stuck=_stuck(stuck) if stuck is not None else "",
        )


async def said(desk: Desk, execution: int, path: str | None = None) -> Sayings:
    """What is said of the attempts of an execution, or of one of its nodes."""
    store = desk.store
    return Sayings(
        progress={(row.path, row.number): row for row in await store.progress(execution)},
        shown={(job.path, job.number): read(job.info) for job in await store.jobs(execution, path) if job.info},
        quotas={(one.path, one.number): text for one, text in await store.leases(execution) if not one.granted},
        stuck={(one.path, one.number): one for one in await store.stuck(execution)},
    )


def _stuck(record: StuckRecord) -> str:
    since = f"{record.since:%Y-%m-%d %H:%M:%S} UTC"
    return f"in quarantine: its clean-up failed {record.tries} times since {since}: {record.error}"
