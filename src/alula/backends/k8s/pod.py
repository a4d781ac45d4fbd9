"""Pods: tasks whose container runs as a pod of its own, and what the status of a pod says of the attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alula.containers.files.places import COPILOT, COPILOTS, ERROR, SAID
from alula.errors import ConfigError
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.failure import FailureKind
from alula.plugin.k8s import K8sPlugin, Manifest
from alula.plugin.phase import LogLink, Phase, PhaseInfo

TASK_TYPES = frozenset({"container", "raw-container", "sidecar"})
"""Python tasks as well, if `[backends.routes]` says so: else the workers run them."""
PRIMARY = "primary_container_name"
"""The annotation that names the container which is the task."""
LINKED = ("namespace", "pod", "container", "node", "uid")
"""What links to pages about a pod may be made of."""
INTERRUPTED = "Interrupted"
OOM = "OOMKilled"
_TAKEN_AWAY = frozenset(
    "Shutdown NodeShutdown Terminated NodeLost Preempting Preempted "
    "NodeAffinity NodeAffinityChanged MatchNodeSelector UnexpectedAdmissionError NodeUnschedulable "
    "OutOfcpu OutOfmemory OutOfpods OutOfephemeral-storage".split()
)
"""Reasons of failed pods that lie with their node. Source: kubelet, packages nodeshutdown, preemption, lifecycle."""
_KILLED = frozenset({137, 247})
"""Exit codes after SIGKILL: 128 + 9, and -9 as some runtimes cut it off."""
_COMING_UP = frozenset({"ErrImagePull", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class PodSettings:
    """How patient we are with pods that do not start, and where their logs are shown."""

    image_pull_grace: timedelta = timedelta(minutes=3)
    """How long an image may fail to be pulled."""
    create_container_grace: timedelta = timedelta(minutes=3)
    """How long a container may fail to be made."""
    create_config_grace: timedelta = timedelta(0)
    """How long a secret or config map that a container needs may be missing."""
    pending_timeout: timedelta = timedelta(0)
    """How long a pod may wait to run, for whatever; 0: for ever."""
    log_links: Mapping[str, str] = field(default_factory=dict)
    """Names to URLs of pages about a pod; `{namespace}`, `{pod}`, `{container}`, `{node}` and `{uid}` are put in."""


class Pods(K8sPlugin):
    """One pod per attempt."""

    info = PluginInfo("pod", TASK_TYPES, settings=PodSettings)
    api_version, kind = "v1", "Pod"

    def __init__(self, settings: PodSettings | None = None) -> None:
        self.settings = settings or PodSettings()
        for name, url in self.settings.log_links.items():
            try:
                url.format_map(dict.fromkeys(LINKED, ""))
            except (KeyError, IndexError, ValueError) as exc:
                raise ConfigError(
                    f"the link {name!r} cannot be made of {url!r}: {exc}",
                    where="[backends.pod] log_links",
                    fix=f"use {', '.join(f'{{{one}}}' for one in LINKED)} in it",
                ) from exc

    def build(self, task: TaskContext, pod: Manifest) -> Manifest:
        return pod

    def phase(self, task: TaskContext, resource: Manifest, *, now: datetime) -> PhaseInfo:
        pod = Pod(resource, interruptible=task.interruptible)
        match pod.phase:
            case "Succeeded":
                info = pod.succeeded()
            case "Failed":
                info = pod.failed()
            case "Running":
                info = pod.running()
            case "Unknown":
                info = PhaseInfo(Phase.RUNNING, pod.reason or "its node does not answer")
            case _:
                info = pod.pending(self.settings, now)
        links = self._links(pod)
        if not links:
            return info
        return PhaseInfo(info.phase, info.reason, info.progress, links, info.custom, info.failure, info.outputs)

    def log_of(self, task: TaskContext, resource: Manifest) -> tuple[str, str] | None:
        pod = Pod(resource)
        return pod.name, pod.main

    def _links(self, pod: Pod) -> tuple[LogLink, ...]:
        spec = pod.resource.get("spec") or {}
        if not self.settings.log_links or not spec.get("nodeName"):
            return ()
        metadata = pod.resource["metadata"]
        values = {
            "namespace": metadata.get("namespace", ""),
            "pod": pod.name,
            "container": pod.main,
            "node": spec["nodeName"],
            "uid": metadata.get("uid", ""),
        }
        return tuple(LogLink(name, url.format_map(values)) for name, url in self.settings.log_links.items())


class Pod:
    """What a pod's status says. No I/O, and nothing is taken for granted: controllers write what they like."""

    def __init__(self, resource: Manifest, *, interruptible: bool = False) -> None:
        self.resource = resource
        self._away = FailureKind.INTERRUPTED if interruptible else FailureKind.SYSTEM
        metadata, status = resource.get("metadata") or {}, resource.get("status") or {}
        self.name = str(metadata.get("name") or "")
        self.primary = str((metadata.get("annotations") or {}).get(PRIMARY) or "")
        self.phase = str(status.get("phase") or "Pending")
        self.reason, self.message = str(status.get("reason") or ""), str(status.get("message") or "")
        self._conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
        self._containers: Sequence[Mapping[str, Any]] = status.get("containerStatuses") or ()
        self._before: Sequence[Mapping[str, Any]] = status.get("initContainerStatuses") or ()
        self._created = str(metadata.get("creationTimestamp") or "")

    @property
    def main(self) -> str:
        """The container that is the task, as far as one is."""
        declared = self._declared()
        return self.primary or (declared[0] if declared else "")

    @property
    def _staged(self) -> bool:
        """Whether the task is an init container: others move its files before and after it."""
        return bool(self.primary) and self.primary in self._declared("initContainers")

    @property
    def _moves_files(self) -> bool:
        """Whether containers of ours are around the task."""
        names = (*self._declared(), *self._declared("initContainers"))
        return any(name in COPILOTS for name in names)

    def said(self) -> PhaseInfo | None:
        """What the task wrote about its failure, for others to read; None: it wrote nothing, or has not ended."""
        both = (*self._before, *self._containers)
        one = next((one for one in both if one.get("name") == self.main and _wrote(self.resource, one)), {})
        ended = _ended(one)
        text = str(ended.get("message") or "").strip()
        if not text or _killed(one) or ended.get("reason") == OOM:
            return None
        code = ended.get("exitCode")
        return PhaseInfo.failed(SAID, f"{text} (exit code {code})" if code else text, recoverable=True)

    def succeeded(self) -> PhaseInfo:
        for one in (*self._containers, *self._before):
            if _ended(one).get("reason") == OOM:
                return self._out_of_memory(one)
        return self.said() or PhaseInfo.succeeded()

    def failed(self) -> PhaseInfo:
        if self.reason in _TAKEN_AWAY or self._disrupted():
            return self._interrupted(self.reason or "its node was taken away")
        told = self.said()
        if told is not None:
            return told
        ended = [one for one in (*self._containers, *self._before) if _ended(one)]
        starved = next((one for one in ended if _ended(one).get("reason") == OOM), None)
        killed = next((one for one in ended if one.get("name") == self.main and _killed(one)), None)
        if killed is not None:
            return self._interrupted(f"container {killed.get('name')} was killed (SIGKILL)")
        if starved is not None:
            return self._out_of_memory(starved)
        wrong = [one for one in ended if _ended(one).get("exitCode")]
        if not wrong and not self.reason:
            return self._interrupted("Kubernetes gives no reason")
        code = self.reason or str(_ended(wrong[0]).get("reason") or "Error")
        said = "; ".join([*([self.message] if self.message else []), *map(_epitaph, wrong)])
        if self._moves_files and wrong and all(one.get("name") != self.main for one in wrong):
            return PhaseInfo.failed(COPILOT, said, kind=FailureKind.SYSTEM, recoverable=True)
        return PhaseInfo.failed(code, said or f"the pod failed: {code}", recoverable=True)

    def running(self) -> PhaseInfo:
        if not self.primary:
            done = [*self._containers, *(one for one in self._before if one.get("name") in self._sidecars())]
            if done and all(_ended(one) and _ended(one).get("exitCode", 0) == 0 for one in done):
                return PhaseInfo.succeeded()
            return PhaseInfo(Phase.RUNNING)
        if self._staged:
            return PhaseInfo(Phase.RUNNING, "its outputs are put away")
        one = next((one for one in self._containers if one.get("name") == self.primary), None)
        if one is None:
            if self.primary in self._declared():
                return PhaseInfo(Phase.RUNNING)
            return PhaseInfo.failed(
                "PrimaryContainerNotFound",
                f"the pod has no container {self.primary!r}, which its annotation {PRIMARY} names; "
                f"it has {', '.join(self._declared()) or 'none'}",
            )
        ended = _ended(one)
        if not ended:
            return PhaseInfo(Phase.RUNNING)
        if ended.get("reason") == OOM:
            return self._out_of_memory(one)
        if _killed(one):
            return self._interrupted(f"container {self.primary} was killed (SIGKILL)")
        if ended.get("exitCode", 0) != 0:
            failure = PhaseInfo.failed(str(ended.get("reason") or "Error"), _epitaph(one), recoverable=True)
            return self.said() or failure
        return self.said() or PhaseInfo.succeeded()

    def pending(self, settings: PodSettings, now: datetime) -> PhaseInfo:
        if self._staged and any(_runs(one) or _ended(one) for one in self._before if one.get("name") == self.primary):
            return PhaseInfo(Phase.RUNNING)
        info = self._waiting(settings, now)
        if info.phase is Phase.STARTING and any(_runs(one) for one in self._before if one.get("name") == COPILOTS[0]):
            info = PhaseInfo(Phase.STARTING, "its inputs are fetched")
        created = _time(self._created)
        if info.phase.terminal or not settings.pending_timeout or created is None:
            return info
        if now - created < settings.pending_timeout:
            return info
        said = f"the pod did not start within {settings.pending_timeout}: {info.reason or 'nothing says why'}"
        return PhaseInfo.failed("PodPendingTimeout", said, recoverable=True)

    def _waiting(self, settings: PodSettings, now: datetime) -> PhaseInfo:
        scheduled = self._condition("PodScheduled")
        if scheduled.get("status") == "False" or scheduled.get("reason") == "Unschedulable":
            return PhaseInfo(Phase.QUEUED, _joined(scheduled.get("reason"), scheduled.get("message")))
        if self._condition("Unschedulable").get("status") == "True":
            unschedulable = self._condition("Unschedulable")
            return PhaseInfo(Phase.QUEUED, _joined(unschedulable.get("reason"), unschedulable.get("message")))
        found = [PhaseInfo(Phase.STARTING if scheduled else Phase.QUEUED)]
        for one in (*self._before, *self._containers):
            waiting = (one.get("state") or {}).get("waiting")
            if waiting:
                found.append(self._held(waiting, settings, now))
        return next((info for info in found if info.phase.terminal), found[-1])

    def _held(self, waiting: Mapping[str, Any], settings: PodSettings, now: datetime) -> PhaseInfo:
        """What it means that a container waits for something."""
        reason = str(waiting.get("reason") or "ContainerCreating")
        said = _joined(reason, waiting.get("message"))
        grace = {
            "ImagePullBackOff": settings.image_pull_grace,
            "CreateContainerError": settings.create_container_grace,
            "CreateContainerConfigError": settings.create_config_grace,
            "InvalidImageName": timedelta(0),
        }.get(reason)
        if reason in _COMING_UP or (grace and now - self._since(now) < grace):
            return PhaseInfo(Phase.STARTING, said)
        if grace is None:
            return PhaseInfo.failed(reason, said, kind=FailureKind.SYSTEM, recoverable=True)
        return PhaseInfo.failed(reason, said, recoverable=reason == "ImagePullBackOff")

    def _since(self, now: datetime) -> datetime:
        """From when on its containers could have started: the latest that the API server's clock stamped."""
        names = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        stamps = [self._condition(name).get("lastTransitionTime") for name in names]
        times = [found for found in map(_time, [*stamps, self._created]) if found is not None]
        return max(times, default=now)

    def _interrupted(self, why: str) -> PhaseInfo:
        said = _joined(why, self.message)
        return PhaseInfo.failed(INTERRUPTED, said, kind=self._away, recoverable=True)

    def _out_of_memory(self, one: Mapping[str, Any]) -> PhaseInfo:
        said = f"container {one.get('name')} used more memory than it may; {_epitaph(one)}"
        return PhaseInfo.failed(OOM, said, recoverable=True)

    def _disrupted(self) -> bool:
        return self._condition("DisruptionTarget").get("status") == "True"

    def _condition(self, name: str) -> Mapping[str, Any]:
        return next((one for one in self._conditions if one.get("type") == name), {})

    def _declared(self, which: str = "containers") -> list[str]:
        return [str(one.get("name") or "") for one in (self.resource.get("spec") or {}).get(which) or ()]

    def _sidecars(self) -> frozenset[str]:
        declared: Iterator[Mapping[str, Any]] = iter((self.resource.get("spec") or {}).get("initContainers") or ())
        return frozenset(str(one.get("name")) for one in declared if one.get("restartPolicy") == "Always")


def _ended(one: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (one.get("state") or {}).get("terminated") or {}
    return found


def _runs(one: Mapping[str, Any]) -> bool:
    return (one.get("state") or {}).get("running") is not None


def _wrote(resource: Manifest, one: Mapping[str, Any]) -> bool:
    """Whether the message of a container is the file of errors that raw containers leave, not Kubernetes' own."""
    spec = resource.get("spec") or {}
    declared = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    path = next((str(c.get("terminationMessagePath") or "") for c in declared if c.get("name") == one.get("name")), "")
    return path.endswith(f"/{ERROR}")


def _killed(one: Mapping[str, Any]) -> bool:
    return _ended(one).get("exitCode") in _KILLED and _ended(one).get("reason") != OOM


def _epitaph(one: Mapping[str, Any]) -> str:
    ended = _ended(one)
    text = f"container {one.get('name')} ended with exit code {ended.get('exitCode')}"
    return _joined(f"{text} ({ended['reason']})" if ended.get("reason") else text, ended.get("message"))


def _joined(head: object, tail: object) -> str:
    return ": ".join(str(part).strip() for part in (head, tail) if part)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
