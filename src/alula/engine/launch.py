"""Child executions: an attempt of a launch-plan node is an execution of its own, whose end comes back as a command."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from alula.compiler.launching import Intake, complete, intake
from alula.compiler.terms import read_terms
from alula.engine.codec import pack_settings, read_node, read_values
from alula.engine.crash import crash_point
from alula.engine.events import (
    AttemptClosed,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    CloseAttempt,
    StartAttempt,
)
from alula.engine.facts import facts_of
from alula.engine.flight import Key, Push
from alula.engine.means import Means
from alula.engine.nodes.task import child_name
from alula.engine.state import ROOT, Failure, FailureKind, NodePhase, Settings
from alula.engine.traces import TRACEPARENT, traceparent
from alula.errors import AtLimit, DataError, NameTaken, StoreUnavailable, Unknown
from alula.idl import CompiledWorkflowClosure, Identifier, LiteralMap
from alula.idl.admin import ConcurrencyLimitBehavior, LaunchPlan, LaunchPlanSpec, Notification
from alula.idl.ids import id_text
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution, Parent

log = logging.getLogger(__name__)

R = TypeVar("R")

CHILD_WORKFLOW = 4
"""How it came about. Source: flyteidl/admin/execution.proto:ExecutionMetadata.ExecutionMode."""
_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Launchable:
    """A launch plan with the workflow that it launches."""

    spec: LaunchPlanSpec
    intake: Intake
    closure: bytes
    entity: str
    workflow: Identifier

    @property
    def limited(self) -> str:
        """What its executions are counted under, if only so many may run."""
        policy = self.spec.concurrency_policy
        counts = policy.max > 0 and policy.behavior == ConcurrencyLimitBehavior.CONCURRENCY_LIMIT_BEHAVIOR_SKIP
        return self.entity.removeprefix("launch_plan:").rpartition(":")[0] if counts else ""

    def settings(self, parents: Settings) -> Settings:
        """How the child is run: as its parent, where the launch plan does not say otherwise."""
        spec = self.spec
        return replace(
            parents,
            max_parallelism=spec.max_parallelism or parents.max_parallelism,
            interruptible=spec.interruptible.value if spec.HasField("interruptible") else parents.interruptible,
            overwrite_cache=parents.overwrite_cache or spec.overwrite_cache,
            workflow_timeout=None,
        )


def notices(notifications: Iterable[Notification]) -> tuple[bytes, ...]:
    """Who is told of the end of an execution: a row for each, so that one who is away keeps no other one waiting."""
    found: dict[bytes, None] = {}
    for one in notifications:
        kind = one.WhichOneof("type")
        for recipient in getattr(one, kind).recipients_email if kind is not None else ():
            row = Notification(phases=sorted(set(one.phases)))
            row.email.recipients_email.append(recipient)
            found[row.SerializeToString(deterministic=True)] = None
    return tuple(found)


def fingerprint(entity: str, inputs: LiteralMap) -> str:
    """What two executions of the same thing with the same inputs have in common."""
    return hashlib.sha256(entity.encode() + b"\0" + inputs.SerializeToString(deterministic=True)).hexdigest()


class Children:
    """The child executions of one execution.

    Args:
        record: The parent.
        push: Where events go.
    """

    def __init__(self, means: Means, record: ExecutionRecord, settings: Settings, push: Push) -> None:
        self._means, self._record, self._settings, self._push = means, record, settings, push
        self._launching: dict[Key, asyncio.Task[None]] = {}
        self._closing: dict[Key, None] = {}
        self.known: dict[Key, int] = {}
        """Children that were launched or found and have not ended, by the attempt that each is."""

    def start(self, command: StartAttempt) -> None:
        """Create the child, or find the one that is there."""
        key = command.path, command.attempt
        if key not in self._launching and key not in self.known:
            self._launching[key] = self._means.spawn(self._launch(command))

    def close(self, command: CloseAttempt) -> None:
        """Have the child stopped. The attempt is closed when the child has ended."""
        key = command.path, command.attempt
        if key not in self._closing:
            self._closing[key] = None
            self._means.spawn(self._stop(key, command.reason, self._launching.get(key)))

    async def ended(self, path: str, attempt: int) -> None:
        """A child has ended: tell the machine how. To be called again at any time."""
        record = await self._find(path, attempt)
        if record is None or not _ended(record):
            return
        self._push(await self._outcome(record, path, attempt))
        self.known.pop((path, attempt), None)
        self._closing.pop((path, attempt), None)

    async def _launch(self, command: StartAttempt) -> None:
        key = path, attempt = command.path, command.attempt
        try:
            child = await self._create(command)
        except AtLimit as exc:
            self._fail(key, Failure("ConcurrencyLimit", str(exc), recoverable=True))
        except (Unknown, NameTaken) as exc:
            self._fail(key, Failure("ChildNotLaunched", str(exc)))
        except (DataError, OSError) as exc:
            self._fail(key, Failure("InputsUnreadable", str(exc), FailureKind.SYSTEM, recoverable=True))
        except Exception as exc:
            log.exception("child.launch_failed", extra={"execution": self._record.id, "path": path})
            what = f"the engine failed: {type(exc).__name__}: {exc}"
            self._fail(key, Failure("EngineFault", what, FailureKind.SYSTEM, recoverable=True))
        else:
            if isinstance(child, Failure):
                self._fail(key, child)
            else:
                self.known[key] = child.id
                self._means.adopt(child.id)
                self._push(AttemptStarted(path, attempt), lazy=True)
                if _ended(child):
                    await self.ended(path, attempt)
        finally:
            self._launching.pop(key, None)

    def _fail(self, key: Key, failure: Failure) -> None:
        self._push(AttemptFailed(*key, failure, self._means.rng.random(), closed=True))

    async def _create(self, command: StartAttempt) -> ExecutionRecord | Failure:
        store, here = self._means.store, self._record
        given = await self._means.depot.complete(command.inputs)
        launched = await self._launchable(command.node.node.workflow_node.launchplan_ref)
        inputs, faults = complete(launched.intake, LiteralMap.FromString(given).literals)
        if faults:
            return Failure("ChildInputsUnfit", f"{launched.entity} does not take its inputs: {'; '.join(faults[:5])}")
        settings = launched.settings(self._settings)
        terms = read_terms(settings.terms)
        closure, cut = terms.packed(launched.closure)
        if cut:
            log.warning("execution.resources", extra={"entity": launched.entity, "tasks": cut[:20]})
            if terms.reject:
                what = f"tasks of {launched.entity} ask for more than they may have: {'; '.join(cut[:5])}"
                return Failure("ResourcesBeyondLimits", what)
        parent = Parent(here.id, command.path, command.attempt)
        new = NewExecution(
            key=replace(here.key, name=command.child),
            entity=launched.entity,
            closure=closure,
            inputs=inputs.SerializeToString(deterministic=True),
            fingerprint=fingerprint(launched.entity, inputs),
            settings=pack_settings(settings),
            reference=await self._reference(command.recovers),
            parent=parent,
            labels={**launched.spec.labels.values, **here.labels},
            facts={
                **facts_of(launched.spec),
                **here.facts,
                TRACEPARENT: traceparent(here, command.path, command.attempt),
            },
            workflow=id_text(launched.workflow),
            principal=here.principal,
            mode=CHILD_WORKFLOW,
            notices=notices(launched.spec.entity_metadata.notifications),
            limited=launched.limited,
            limit=launched.spec.concurrency_policy.max,
        )
        crash_point("child.before")
        record, fresh = await self._patiently(lambda: store.create(new))
        crash_point("child.after")
        if not fresh and record.parent != parent:
            what = f"an execution named {record.key.name!r} is there already, and is not a part of this one"
            return Failure("ChildNotLaunched", what)
        return record

    async def _launchable(self, id: Identifier) -> Launchable:
        """Raises Unknown."""
        entities = self._means.entities
        project, domain = id.project or self._record.key.project, id.domain or self._record.key.domain
        found = await self._patiently(
            lambda: entities.entity("launch_plan", project, domain, id.name, id.version), where=id_text(id)
        )
        spec = LaunchPlan.FromString(found.spec).spec
        wanted = spec.workflow_id
        workflow = await self._patiently(
            lambda: entities.entity(
                "workflow", wanted.project or project, wanted.domain or domain, wanted.name, wanted.version
            ),
            where=id_text(wanted),
        )
        interface = CompiledWorkflowClosure.FromString(workflow.closure).primary.template.interface
        return Launchable(spec, intake(spec, interface), workflow.closure, id_text(id), wanted)

    async def _reference(self, recovers: str) -> int:
        """The id of the child execution that the new one recovers; 0 if there is none."""
        record = await self._by_name(recovers) if recovers else None
        return record.id if record is not None else 0

    async def _stop(self, key: Key, reason: str, launching: asyncio.Task[None] | None) -> None:
        if launching is not None:  # a child that is just being created must not be missed
            await asyncio.wait([launching])
        record = await self._find(*key)
        if record is None or _ended(record):
            self._closing.pop(key, None)
            self._push(AttemptClosed(*key))
            return
        self.known[key] = record.id
        self._means.adopt(record.id)
        crash_point("child.abort.before")
        id = record.id
        await self._patiently(lambda: self._means.store.ask(id, "abort", body=reason.encode()))
        crash_point("child.abort.after")
        await self.ended(*key)  # it may have ended meanwhile, with nobody left to take the request

    async def _find(self, path: str, attempt: int) -> ExecutionRecord | None:
        return await self._by_name(child_name(self._record.key.name, path, attempt))

    async def _by_name(self, name: str) -> ExecutionRecord | None:
        key: ExecutionKey = replace(self._record.key, name=name)
        try:
            return await self._patiently(lambda: self._means.store.execution(key))
        except Unknown:
            return None

    async def _outcome(self, record: ExecutionRecord, path: str, attempt: int) -> AttemptSucceeded | AttemptFailed:
        if record.phase == NodePhase.SUCCEEDED:
            return AttemptSucceeded(path, attempt, read_values(record.outputs), closed=True)
        root = await self._patiently(lambda: self._means.store.node(record.id, ROOT))
        cause = read_node(root).failure if root is not None else None
        cause = cause or Failure("ChildFailed", record.error or f"it ended as {record.phase}")
        message = f"execution {record.key.name} {record.phase.replace('_', ' ')}: {cause.message}"
        failure = Failure(cause.code, message, cause.kind, recoverable=True)
        return AttemptFailed(path, attempt, failure, self._means.rng.random(), closed=True)

    async def _patiently(self, call: Callable[[], Awaitable[R]], *, where: str = "") -> R:
        """What a store says, however long it is away: the lease decides how long we may wait."""
        pause = _PAUSE
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(pause * (0.5 + self._means.rng.random()))
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Unknown as exc:
                if not where:
                    raise
                raise Unknown(exc.what, where=where, fix=exc.fix) from exc


def _ended(record: ExecutionRecord) -> bool:
    return record.phase != "queued" and NodePhase(record.phase).terminal
