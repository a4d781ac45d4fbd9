"""What a plugin is lent for one attempt: the `TaskContext` of hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from alula.data.credentials import lend, secrets
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.errors import ConversionError, DataError, Rejected, RemoteError, Unknown
from alula.hosting.secrets import Secrets
from alula.idl import LiteralMap, Resources, TaskNodeOverrides, TaskTemplate, containers
from alula.plugin import schema
from alula.plugin import template as templates
from alula.plugin.reaching import reach
from alula.plugin.runner import AttemptId, Job

C = TypeVar("C")
_INDEX_OF, _INDEX = "BATCH_JOB_ARRAY_INDEX_VAR_NAME", "FLYTE_K8S_ARRAY_INDEX"
"""Variables that say which element of an array this is, named as by Flyte."""
_OFFSET, _OF_FLYTEKIT = "BATCH_JOB_ARRAY_INDEX_OFFSET", "pyflyte-map-execute"
"""What flytekit adds to the index: its lists hold the element's own item only, at place 0."""
_MOST_UNITS = 2**31
_WAITING_SECONDS = 3600
"""A task may wait for a machine, with its credentials in its environment."""
_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_LABELLED = re.compile(
    r"(?=[^/]{1,253}/|[^/]{1,63}$)([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?", re.A
)
"""Names of labels that Kubernetes takes."""


class Lender(Protocol):
    """Whoever hosts the plugin. Everything but `woken` is called on the plugin's loop."""

    def woken(self, id: AttemptId) -> None: ...

    def asks(self, id: AttemptId, pool: str, units: int) -> None:
        """Ask the engine for units of a pool; the attempt is handled again when it has them."""
        ...


@dataclass(frozen=True, slots=True)
class Lent:
    """What all attempts of one plugin are lent."""

    lender: Lender
    objects: ObjectStore
    secrets: Secrets
    lend: Callable[[str], None]
    """Told of every secret before it is handed out."""
    callback: Callable[[AttemptId], str | None] = lambda id: None
    """The signed URL of an attempt."""
    stores: StoreSettings = field(default_factory=StoreSettings)
    """How this process reaches object stores."""


class Task:
    """One attempt, as its plugin sees it."""

    __slots__ = ("_inputs_there", "_lent", "_uploaded", "granted", "job")

    def __init__(self, lent: Lent, job: Job, *, inputs: bool = True) -> None:
        self._lent, self.job = lent, job
        self.granted: tuple[str, ...] = ()
        """Pools whose units it has."""
        self._inputs_there = inputs
        self._uploaded = False

    @property
    def id(self) -> AttemptId:
        return self.job.id

    @property
    def name(self) -> str:
        return self.job.id.name

    @property
    def fresh(self) -> bool:
        return self.job.fresh

    @property
    def template(self) -> TaskTemplate:
        return self.job.template

    @property
    def labels(self) -> Mapping[str, str]:
        id = self.job.id
        parts = {
            "store": id.store,
            "project": id.project,
            "domain": id.domain,
            "execution": id.execution,
            "node": id.path,
            "attempt": str(id.number),
        }
        given = {name: label(value) for name, value in self.job.labels.items() if _LABELLED.fullmatch(name)}
        return {**given, **{f"alula.dev/{name}": label(value) for name, value in parts.items()}}

    @property
    def output_prefix(self) -> str:
        return self.job.prefix

    @property
    def raw_prefix(self) -> str:
        return self.job.files.raw

    @property
    def objects(self) -> ObjectStore:
        return self._lent.objects

    @property
    def overrides(self) -> TaskNodeOverrides | None:
        return self.job.overrides

    @property
    def attempts(self) -> int:
        return self.job.attempts

    @property
    def interruptible(self) -> bool:
        return self.job.interruptible

    def custom(self, as_: type[C]) -> C:
        try:
            return schema.config_of(self.job.template.custom, as_)
        except Rejected as exc:
            task = self.job.template
            raise Rejected(
                exc.what,
                where=f"task {task.id.name or self.name}",
                fix=f"`alula plugin schema` says what tasks of type {task.type!r} take",
                code=exc.code,
            ) from exc

    def argv(self) -> list[str]:
        container = containers.of(self.job.template)
        return self.fill([*container.command, *container.args])

    def fill(self, words: Sequence[str]) -> list[str]:
        try:
            return templates.fill(words, self.job)
        except ConversionError as exc:
            raise Rejected(exc.what, where=exc.where, fix=exc.fix) from exc

    def environ(self) -> dict[str, str]:
        job, id, task = self.job, self.job.id, self.job.template.id
        own = job.template.container.env
        return {
            **dict(zip((pair.key for pair in own), self.fill([pair.value for pair in own]), strict=True)),
            **job.environment,
            "FLYTE_INTERNAL_EXECUTION_ID": id.execution,
            "FLYTE_INTERNAL_EXECUTION_PROJECT": id.project,
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": id.domain,
            "FLYTE_INTERNAL_TASK_PROJECT": task.project,
            "FLYTE_INTERNAL_TASK_DOMAIN": task.domain,
            "FLYTE_INTERNAL_TASK_NAME": task.name,
            "FLYTE_INTERNAL_TASK_VERSION": task.version,
            "FLYTE_ATTEMPT_NUMBER": str(id.number),
            **_element(job),
        }

    def resources(self) -> Resources:
        made = Resources()
        made.CopyFrom(self.job.template.container.resources)
        overrides = self.job.overrides
        if overrides is not None and overrides.HasField("resources"):
            for own, over in ((made.requests, overrides.resources.requests), (made.limits, overrides.resources.limits)):
                wanted = {entry.name: entry for entry in own} | {entry.name: entry for entry in over}
                del own[:]
                own.extend(wanted.values())
        return made

    async def inputs(self) -> LiteralMap:
        if not self._inputs_there:
            raise Unknown(
                "the inputs of an attempt are not to be had when it is cleaned up after a restart",
                where=self.name,
                fix="keep what `abort` and `finalize` need in the plugin's state",
            )
        return LiteralMap.FromString(self.job.inputs)

    async def inputs_uri(self) -> str:
        uri = Attempt(self.job.prefix).inputs
        if not self._uploaded:
            await self.inputs()
            await self._lent.objects.write(uri, self.job.inputs)
            self._uploaded = True
        return uri

    async def secret(self, key: str, group: str = "") -> str:
        found = await self._lent.secrets.get(key, group)
        self._lent.lend(found)
        return found

    async def storage(self) -> Mapping[str, str]:
        await self.inputs()
        read, write = reach(self.job)
        stores, timeout = self._lent.stores, self.job.template.metadata.timeout.ToSeconds()
        seconds = min(timeout + _WAITING_SECONDS, stores.task_seconds) if timeout else stores.task_seconds
        try:
            found = await lend(stores, read=read, write=write, seconds=seconds, name=self.name)
        except DataError as exc:
            raise RemoteError(exc.what, where=exc.where, fix=exc.fix) from exc
        for secret in secrets(found):
            self._lent.lend(secret)
        return found

    async def reserve(self, pool: str, units: int = 1) -> bool:
        if not 1 <= units <= _MOST_UNITS:  # fewer than none would let others have more than there are
            raise Rejected(
                f"{units} units of pool {pool} cannot be taken",
                where=f"task {self.job.template.id.name or self.name}",
                fix=f"reserve from 1 to {_MOST_UNITS}",
            )
        if pool in self.granted:
            return True
        self._lent.lender.asks(self.job.id, pool, units)
        return False

    def callback_url(self) -> str | None:
        return self._lent.callback(self.job.id)

    def wake(self) -> None:
        self._lent.lender.woken(self.job.id)


def _element(job: Job) -> dict[str, str]:
    """Variables of an element of an array."""
    if job.index < 0:
        return {}
    made, container = {_INDEX_OF: _INDEX, _INDEX: str(job.index)}, containers.of(job.template)
    if any(word.endswith(_OF_FLYTEKIT) for word in [*container.command, *container.args]):
        made[_OFFSET] = str(-job.index)
    return made


def label(value: str) -> str:
    """A text as a label value of Kubernetes: at most 63 characters, letters and digits at both ends."""
    return _LABEL.sub("-", value)[:63].strip("-._")
