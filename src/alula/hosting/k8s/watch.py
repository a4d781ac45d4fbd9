"""The objects of one kind in one namespace that are ours: listed once, then watched, listed anew when in doubt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from random import Random

from alula._kits.clock import Clock
from alula.errors import AlulaError
from alula.hosting.k8s.answers import Refused
from alula.hosting.k8s.cluster import Cluster, Kind
from alula.plugin.k8s import Manifest

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a watch that broke is tried again."""
_LASTED = 5.0
"""A watch that lived so long is no failure, however it ended."""


class Watch:
    """What we know of the objects, and whom to tell of changes.

    Args:
        changed: Called with a name when there is something new about that object.
        freed: Called when an object is gone.
        settled: Told how the watch goes.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str,
        selector: str,
        *,
        changed: Callable[[str], None],
        freed: Callable[[], None],
        settled: Callable[[BaseException | None], None],
        clock: Clock,
        random: Random,
    ) -> None:
        self.kind, self.namespace = kind, namespace
        self.objects: dict[str, Manifest] = {}
        self.live = False
        """Whether `objects` is up to date. If not, look for yourself."""
        self.problem = ""
        """Why it is not, if something is wrong."""
        self.relists = 0
        self._last: dict[str, Manifest] = {}
        self._wanted: set[str] = set()
        self._cluster, self._selector = cluster, selector
        self._changed, self._freed, self._settled = changed, freed, settled
        self._clock, self._random = clock, random
        self._version = ""
        """From which to watch on; empty: list first."""

    def want(self, name: str) -> None:
        """Remember what the object was like when it went away."""
        self._wanted.add(name)

    def last(self, name: str) -> Manifest | None:
        """What a wanted object was like when it was deleted."""
        return self._last.get(name)

    def put(self, resource: Manifest) -> None:
        """Take over what the API server answered about one object."""
        name = str(resource["metadata"]["name"])
        if not _older(resource, self.objects.get(name)):
            self.objects[name] = _pruned(resource)

    def forget(self, name: str) -> None:
        """Nobody wants to know about the object any more."""
        self._wanted.discard(name)
        self._last.pop(name, None)
        self.objects.pop(name, None)

    async def run(self) -> None:
        """List and watch until cancelled, whatever happens."""
        pause = _FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            try:
                await self._round()
            except Refused as exc:
                if exc.expired:
                    self._version = ""
                self._down(exc)
            except (AlulaError, OSError) as exc:
                self._down(exc)
            except Exception as exc:  # supervised: a fault of ours must not end the watch for good
                log.exception("k8s.watch.fault", extra={"namespace": self.namespace, "kind": self.kind.kind})
                self._version = ""
                self._down(exc)
            pause = _FIRST_PAUSE if self._clock.monotonic() - began > _LASTED else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))

    async def _round(self) -> None:
        """Watch until it must be listed anew, or the watch breaks."""
        if not self._version:
            found, version = await self._cluster.every(self.kind, self.namespace, self._selector)
            self._replace(found, version)
        until = self._clock.monotonic() + self._cluster.settings.resync.total_seconds()
        while self._version:
            began = self._clock.monotonic()
            events = self._cluster.watch(self.kind, self.namespace, self._selector, self._version)
            async with contextlib.aclosing(events):
                async for event in events:
                    self._up()
                    self._apply(str(event.get("type")), event["object"])
                    if self._clock.monotonic() >= until:
                        self._version = ""
                        break
            if self._clock.monotonic() >= until:
                self._version = ""
            elif self._clock.monotonic() - began < _LASTED:
                return  # ended at once: not without a pause again

    def _replace(self, found: list[Manifest], version: str) -> None:
        now = {str(one["metadata"]["name"]): one for one in found}
        before, self.objects = self.objects, {name: _pruned(one) for name, one in now.items()}
        for name, former in before.items():
            if name in now:
                continue
            if _number(former) > _as_number(version):
                self.objects[name] = former  # made after the list was
            else:
                self._went(name, former)
        self._version, self.relists = version, self.relists + 1
        self._up()
        for name, one in self.objects.items():
            if name not in before or _number(one) != _number(before[name]):
                self._changed(name)

    def _apply(self, what: str, resource: Manifest) -> None:
        metadata = resource.get("metadata") or {}
        name, version = str(metadata.get("name") or ""), str(metadata.get("resourceVersion") or "")
        if version:
            self._version = version
        if what == "BOOKMARK" or not name:
            return
        if what == "DELETED":
            former = self.objects.get(name)
            if former is None or former["metadata"].get("uid") == metadata.get("uid"):
                self.objects.pop(name, None)
                self._went(name, _pruned(resource))
        elif not _older(resource, self.objects.get(name)):
            self.objects[name] = _pruned(resource)
            self._changed(name)

    def _went(self, name: str, resource: Manifest) -> None:
        if name in self._wanted:
            self._last[name] = resource
        self._freed()
        self._changed(name)

    def _up(self) -> None:
        if not self.live:
            self.live, self.problem = True, ""
            self._settled(None)

    def _down(self, exc: Exception) -> None:
        self.live, self.problem = False, str(exc).partition("\n")[0]
        self._settled(exc)
        log.info(
            "k8s.watch.broken",
            extra={"namespace": self.namespace, "kind": self.kind.kind, "error": self.problem},
        )


def _pruned(resource: Manifest) -> Manifest:
    metadata = {key: value for key, value in resource["metadata"].items() if key != "managedFields"}
    return {**resource, "metadata": metadata}


def _older(resource: Manifest, than: Manifest | None) -> bool:
    """Whether it is an earlier state of the same object. Versions of one kind are counted up: KEP-5504."""
    if than is None or resource["metadata"].get("uid") != than["metadata"].get("uid"):
        return False
    return _number(resource) < _number(than)


def _number(resource: Manifest) -> int:
    return _as_number(str(resource["metadata"].get("resourceVersion") or ""))


def _as_number(version: str) -> int:
    return int(version) if version.isdigit() else 0
