"""A `K8sPlugin` as a `CorePlugin`: one object per attempt, made by name, watched, read, deleted.

No intent is kept before the object is made: it bears the attempt's name, so a second creation finds the first, and
clean-up deletes by name whatever is known. What is kept is the namespace, and the object's uid once it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from alula.containers.files.places import COPILOT, SAID
from alula.data.layout import Attempt
from alula.errors import Rejected
from alula.hosting import verdict
from alula.hosting.adapter import Adapter, Means
from alula.hosting.calls import CallFailed, Garbage, NotYet, short
from alula.hosting.k8s import answers, logs, making, objects, pods, staging
from alula.hosting.k8s.answers import Refused, Wait
from alula.hosting.k8s.backoff import Queue
from alula.hosting.k8s.cluster import PODS, Cluster, Kind
from alula.hosting.k8s.settings import ClusterSettings
from alula.hosting.k8s.watch import Watch
from alula.plugin.context import TaskContext
from alula.plugin.core import Owned
from alula.plugin.failure import FailureKind
from alula.plugin.k8s import K8sPlugin, Manifest
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.webapi import LogPage

_YOUNG, _STEADY = timedelta(seconds=15), timedelta(minutes=1)
"""How often an object is read again whatever the watch says: while it comes up, since patience ends, and later."""
_UNWATCHED = timedelta(seconds=5)
"""The same while the watch is down."""
_QUIET = timedelta(seconds=5)
"""An object that says nothing for so long may have its reasons in events."""
_SOON = timedelta(milliseconds=200)
_FIRST_LOOK, _LAST_LOOK = 0.05, 2.0
"""Seconds between looks for the end of an object that is being deleted: they grow."""
_SLACK = 10.0
"""Seconds beyond its grace that it may take."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What is kept of an attempt."""

    namespace: str
    uid: str = ""
    """Of its object; empty: none was seen yet."""


class K8sAdapter(Adapter[Applied]):
    """Runs the attempts of a Kubernetes plugin."""

    state_type = Applied

    def __init__(self, plugin: K8sPlugin, means: Means, settings: ClusterSettings) -> None:
        self.plugin, self.settings, self.info = plugin, settings, plugin.info
        self.cluster: Cluster = (means.cluster or Cluster)(settings, means.clock)
        self._means = means
        self._watches: dict[str, Watch] = {}
        self._tasks: dict[str, TaskContext] = {}
        """Attempts to be woken, by name."""
        self._queues: dict[str, Queue] = {}
        self._tried: dict[str, float] = {}
        """When a creation under a name was last begun, by this process."""
        self._store = ""

    async def open(self) -> None:
        await self.cluster.open()

    async def close(self) -> None:
        await self.cluster.close()

    def forget(self, task: TaskContext) -> None:
        self._tasks.pop(task.name, None)

    # Handling.

    async def handle(self, task: TaskContext, state: Applied | None) -> Transition[Applied]:
        namespace = state.namespace if state else self.settings.namespace_of(task.id)
        watch = await self._watch(task, namespace)
        self._tasks[task.name] = task
        if state is None or not state.uid:
            return await self._create(task, watch)
        resource = await self._look(task, watch, state)
        if resource is not None:
            return await self._read(task, watch, resource)
        said = f"{self.plugin.kind} {namespace}/{task.name} is gone, and it was not us who deleted it"
        return Transition(_lost("ResourceDeletedExternally", said), state, None)

    async def _create(self, task: TaskContext, watch: Watch) -> Transition[Applied]:
        namespace, queue = watch.namespace, self._queue(watch.namespace)
        template = await making.pod_template(self.cluster, task, namespace)
        storage = await task.storage() if self.settings.lend_storage else {}
        pod = pods.build(task, self.settings, template, storage)
        asked = pods.asks(pod["spec"])
        pause = queue.room.pause(asked, self._means.clock.monotonic())
        if pause:
            return self._wait(task, namespace, "waits for room: quota refused what came before it", pause)
        manifest = objects.stamped(self._built(task, pod), task, self.plugin, self.settings, namespace)
        await making.put_files(task, staged=staging.is_staged(pod))
        self._tried[task.name] = self._means.clock.monotonic()
        try:
            made = await self.cluster.request("POST", watch.kind.path(namespace), params=self._params(), body=manifest)
        except Refused as exc:
            return await self._refused(task, watch, exc)
        return self._applied(task, watch, made)

    async def _refused(self, task: TaskContext, watch: Watch, exc: Refused) -> Transition[Applied]:
        namespace, queue = watch.namespace, self._queue(watch.namespace)
        if exc.status == 409 and exc.reason == "AlreadyExists":
            found = await self.cluster.request("GET", watch.kind.path(namespace, task.name))
            if objects.ours(found, task):
                return self._applied(task, watch, found)
            said = f"{watch.kind.kind} {namespace}/{task.name} is there already, and it is none of this attempt"
            return Transition(_lost("NameTaken", said), Applied(namespace), None)
        if await making.made_namespace(self.cluster, namespace, exc):
            return self._wait(task, namespace, f"namespace {namespace} was made just now", 0.1)
        outcome = answers.of_create(exc)
        if not isinstance(outcome, Wait):
            queue.leave(task.name)
            return Transition(outcome, Applied(namespace), None)
        pause = queue.room.refused(outcome.asked, self._means.clock.monotonic())
        return self._wait(task, namespace, outcome.reason, max(pause, outcome.seconds or 0))

    def _applied(self, task: TaskContext, watch: Watch, resource: Manifest) -> Transition[Applied]:
        watch.put(resource)
        queue = self._queue(watch.namespace)
        queue.room.taken()
        queue.leave(task.name)
        state = Applied(watch.namespace, str(resource["metadata"].get("uid") or ""))
        info = PhaseInfo(Phase.QUEUED, f"{self.plugin.kind} {watch.namespace}/{task.name} was handed to Kubernetes")
        return Transition(info, state, _SOON)

    async def _look(self, task: TaskContext, watch: Watch, state: Applied) -> Manifest | None:
        """The attempt's object, as last seen; None: it is gone for sure, and did not come to its end before."""
        found = watch.objects.get(task.name) if watch.live else None
        if found is not None and found["metadata"].get("uid") == state.uid:
            return found
        try:
            found = await self.cluster.request("GET", watch.kind.path(watch.namespace, task.name))
        except Refused as exc:
            if not exc.missing:
                raise
            last = watch.last(task.name)
            return last if last is not None and self._phase(task, last).phase.terminal else None
        if not objects.ours(found, task):
            return None
        watch.put(found)
        return found

    async def _read(self, task: TaskContext, watch: Watch, resource: Manifest) -> Transition[Applied]:
        state = Applied(watch.namespace, str(resource["metadata"].get("uid") or ""))
        info = self._phase(task, resource)
        if not info.phase.terminal and resource["metadata"].get("deletionTimestamp"):
            said = f"{self.plugin.kind} {watch.namespace}/{task.name} is being deleted, and not by us"
            away = task.interruptible and objects.disrupted(resource)
            info = _lost("UnexpectedObjectDeletion", said, FailureKind.INTERRUPTED if away else FailureKind.SYSTEM)
        if info.phase.terminal:
            self._queue(watch.namespace).freed()
            return Transition(await self._ended(task, resource, info), state, None)
        check = _STEADY
        if info.phase is Phase.RUNNING and self.settings.log_refresh:
            await self._keep_log(task, resource)
            check = self.settings.log_refresh
        if info.phase in (Phase.QUEUED, Phase.STARTING):
            check = _YOUNG
            if not info.reason and objects.age(resource, self.cluster.now()) > _QUIET:
                info = replace(info, reason=await logs.warnings(self.cluster, resource))
        return Transition(info, state, check if watch.live else _UNWATCHED)

    async def _ended(self, task: TaskContext, resource: Manifest, info: PhaseInfo) -> PhaseInfo:
        """Keep the log of what has ended, and say of a failure what is known of it."""
        await self._keep_log(task, resource)
        failure = info.failure
        if failure is None:
            return info
        if failure.code == SAID:
            return info  # in the task's own words
        tells = failure.kind is FailureKind.USER or failure.code == COPILOT
        if tells and await task.objects.exists(Attempt(task.output_prefix).error):
            return PhaseInfo.succeeded(links=info.links)  # what the task says itself is better: the engine reads it
        warned = await logs.warnings(self.cluster, resource)
        if not warned or warned in failure.message:
            return info
        said = f"{failure.message}; {warned}"
        return replace(info, reason=said, failure=replace(failure, message=said))

    async def _keep_log(self, task: TaskContext, resource: Manifest) -> None:
        source = self._means.calls.plainly("log_of", lambda: self.plugin.log_of(task, resource))
        if source is not None and self.settings.log_bytes:
            await logs.keep(self.cluster, task, resource, source)

    # Cleaning up.

    async def abort(self, task: TaskContext, state: Applied | None, reason: str) -> None:
        self._tasks.pop(task.name, None)
        await self._delete(task, state)

    async def finalize(self, task: TaskContext, state: Applied | None) -> None:
        self._tasks.pop(task.name, None)
        namespace = state.namespace if state else self.settings.namespace_of(task.id)
        self._queue(namespace).leave(task.name)
        until = self._means.clock.monotonic() + self.settings.grace.total_seconds() + _SLACK
        pause = _FIRST_LOOK
        while await self._delete(task, state) or await self._delete_pods(task, state):
            if self._means.clock.monotonic() >= until:
                raise NotYet(f"{self.plugin.kind} {namespace}/{task.name} is being deleted, and still there")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK)
        watch = self._watches.get(namespace)
        if watch is not None:
            watch.forget(task.name)
        self._tried.pop(task.name, None)

    async def owned(self) -> Sequence[Owned]:
        return [Owned(objects.name(one), objects.what(one)) for one in await self._all_owned()]

    async def reclaim(self, job: Owned) -> None:
        kind = await self._kind()
        for one in await self._all_owned():
            if objects.name(one) == job.name:
                await objects.delete(self.cluster, kind, one, self._means.rng)

    async def _delete(self, task: TaskContext, state: Applied | None) -> bool:
        """Have the attempt's object deleted. Whether it is, or may be, still there."""
        if self._never_made(task, state):
            return False
        kind = await self._kind()
        namespace = state.namespace if state else self.settings.namespace_of(task.id)
        try:
            found = await self.cluster.request("GET", kind.path(namespace, task.name))
        except Refused as exc:
            if not exc.missing:
                raise
            return not (state is not None and state.uid) and self._may_come(task)
        if not objects.ours(found, task):
            return False
        await objects.delete(self.cluster, kind, found, self._means.rng)
        return True

    async def _delete_pods(self, task: TaskContext, state: Applied | None) -> bool:
        """Have the pods deleted that an operator made of the attempt's object. Whether there are any.

        They outlive it: the API server takes an object away before what it owns, and the operator may still be at work.
        """
        if self.plugin.kind == PODS.kind or self._never_made(task, state):
            return False
        namespace = state.namespace if state else self.settings.namespace_of(task.id)
        found, _ = await self.cluster.every(PODS, namespace, f"{objects.JOB}={task.name}")
        for pod in found:
            await objects.delete(self.cluster, PODS, pod, self._means.rng)
        return bool(found)

    def _never_made(self, task: TaskContext, state: Applied | None) -> bool:
        """Whether nobody ever tried to make the attempt's object."""
        return task.fresh and not (state is not None and state.uid) and task.name not in self._tried

    def _may_come(self, task: TaskContext) -> bool:
        """Whether a creation whose answer nobody saw may still take effect; of another process, from our first look."""
        now = self._means.clock.monotonic()
        return now - self._tried.setdefault(task.name, now) < self.settings.settle.total_seconds()

    async def _all_owned(self) -> list[Manifest]:
        kind = await self._kind()
        fixed = self.settings.namespace if "{" not in self.settings.namespace else ""
        selector = f"{objects.STORE}={self._store}" if self._store else objects.STORE
        try:
            found, _ = await self.cluster.every(kind, fixed, selector)
        except Refused as exc:
            if exc.status != 403 or fixed:
                raise
            found = []  # we may not look into all namespaces: those that we know
            for namespace in self._watches:
                found += (await self.cluster.every(kind, namespace, selector))[0]
        return [one for one in found if objects.named_by_us(one)]

    # Logs.

    async def logs(self, task: TaskContext, state: Applied | None, token: str = "") -> LogPage:
        """Lines of the log of an attempt that runs."""
        if state is None or not state.uid:
            return LogPage((), token)
        watch = await self._watch(task, state.namespace)
        resource = await self._look(task, watch, state)
        source = self.plugin.log_of(task, resource) if resource is not None else None
        return await logs.page(self.cluster, state.namespace, source, token) if source else LogPage((), token)

    # What all that needs.

    async def _kind(self) -> Kind:
        return await self.cluster.kind(self.plugin.api_version, self.plugin.kind)

    async def _watch(self, task: TaskContext, namespace: str) -> Watch:
        """The one watch of a namespace."""
        self._store = self._store or task.id.store
        if namespace not in self._watches:
            kind = await self._kind()
            if namespace not in self._watches:
                self._watches[namespace] = watch = Watch(
                    self.cluster,
                    kind,
                    namespace,
                    f"{objects.STORE}={task.labels[objects.STORE]}",
                    changed=self._changed,
                    freed=self._queue(namespace).freed,
                    settled=self._means.settled,
                    clock=self._means.clock,
                    random=self._means.rng,
                )
                self._means.spawn(watch.run())
        self._watches[namespace].want(task.name)
        return self._watches[namespace]

    def _changed(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None:
            task.wake()

    def _queue(self, namespace: str) -> Queue:
        return self._queues.setdefault(namespace, Queue())

    def _wait(self, task: TaskContext, namespace: str, reason: str, seconds: float) -> Transition[Applied]:
        self._queue(namespace).wait(task.name, task.wake)
        return Transition(PhaseInfo(Phase.WAITING, reason), Applied(namespace), timedelta(seconds=seconds))

    def _phase(self, task: TaskContext, resource: Manifest) -> PhaseInfo:
        info = self._means.calls.plainly("phase", partial(self.plugin.phase, task, resource, now=self.cluster.now()))
        return verdict.checked(self.info.name, "phase", info)

    def _built(self, task: TaskContext, pod: Manifest) -> Manifest:
        try:
            made: Any = self._means.calls.plainly("build", lambda: self.plugin.build(task, pod))
            if not isinstance(made, dict):
                gave = f"{self.info.name}.build gave {short(made)}, not a manifest: does it end with `return`?"
                raise CallFailed("build", Garbage(gave))
            return made
        except CallFailed as exc:
            # It does no I/O, so it would fail again.
            said = f"{self.info.name} could not build a {self.plugin.kind}: {exc.what}"
            raise Rejected(said, where=task.template.id.name, code="FailedToBuildResource") from exc

    def _params(self) -> dict[str, str]:
        seconds = max(1, int(self.settings.timeout.total_seconds()))
        return {"fieldManager": "alula", "fieldValidation": "Strict", "timeout": f"{seconds}s"}


def _lost(code: str, said: str, kind: FailureKind = FailureKind.SYSTEM) -> PhaseInfo:
    return PhaseInfo.failed(code, said, kind=kind, recoverable=True)
