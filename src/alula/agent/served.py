"""One attempt of somebody else's engine, as a plugin sees it: the `TaskContext` of agents."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from alula.data.credentials import lend, secrets
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.errors import ConversionError, DataError, Rejected, RemoteError, Unknown
from alula.idl import (
    LiteralMap,
    Resources,
    TaskExecutionIdentifier,
    TaskNodeOverrides,
    TaskTemplate,
    containers,
)
from alula.idl.agent import RAW, TaskExecutionMetadata
from alula.plugin import schema
from alula.plugin import template as templates
from alula.plugin.reaching import reach
from alula.plugin.runner import AttemptId, Job

C = TypeVar("C")
_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_STRUCK = "***"


@dataclass(slots=True)
class Served:
    """What was said of the attempt in a request, or remembered in a `resource_meta`."""

    name: str
    execution: TaskExecutionIdentifier
    template: TaskTemplate
    output_prefix: str
    objects: ObjectStore
    given: LiteralMap | None = None
    """Its inputs; None: they were not sent."""
    about: TaskExecutionMetadata = field(default_factory=TaskExecutionMetadata)
    fresh: bool = False
    sent: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Secrets that came with the request, by group and key."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    lent: set[str] = field(default_factory=set)
    """Secrets that the plugin has, which must not be said."""

    @property
    def id(self) -> AttemptId:
        where = self.execution.node_execution_id
        run = where.execution_id
        store = self.about.annotations.get("alula.dev/store", "")
        return AttemptId(run.project, run.domain, run.name, where.node_id, self.execution.retry_attempt, store)

    @property
    def labels(self) -> Mapping[str, str]:
        if self.about.labels:
            return dict(self.about.labels)
        id = self.id
        parts = {
            "project": id.project,
            "domain": id.domain,
            "execution": id.execution,
            "node": id.path,
            "attempt": str(id.number),
        }
        return {f"alula.dev/{name}": _LABEL.sub("-", value)[:63].strip("-._") for name, value in parts.items()}

    @property
    def raw_prefix(self) -> str:
        return Attempt(self.output_prefix, self.about.annotations.get(RAW, "")).raw

    @property
    def interruptible(self) -> bool:
        return self.about.interruptible

    @property
    def attempts(self) -> int:
        return self.about.max_attempts or self.template.metadata.retries.retries + 1

    @property
    def overrides(self) -> TaskNodeOverrides | None:
        return self.about.overrides if self.about.HasField("overrides") else None

    def custom(self, as_: type[C]) -> C:
        return schema.config_of(self.template.custom, as_)

    def argv(self) -> list[str]:
        container = containers.of(self.template)
        return self.fill([*container.command, *container.args])

    def fill(self, words: Sequence[str]) -> list[str]:
        inputs = self.given.SerializeToString() if self.given is not None else b""
        try:
            return templates.fill(words, self._job(inputs))
        except ConversionError as exc:
            raise Rejected(exc.what, where=exc.where, fix=exc.fix) from exc

    def _job(self, inputs: bytes) -> Job:
        return Job(self.id, self.template, inputs, self.output_prefix, user_data=self.raw_prefix)

    def environ(self) -> dict[str, str]:
        own = self.template.container.env
        values = self.fill([pair.value for pair in own])
        return {
            **{pair.key: value for pair, value in zip(own, values, strict=True)},
            **self.about.environment_variables,
        }

    def resources(self) -> Resources:
        made = Resources()
        made.CopyFrom(self.template.container.resources)
        over = self.overrides
        if over is not None and over.HasField("resources"):
            for own, more in ((made.requests, over.resources.requests), (made.limits, over.resources.limits)):
                wanted = {entry.name: entry for entry in own} | {entry.name: entry for entry in more}
                del own[:]
                own.extend(wanted.values())
        return made

    async def inputs(self) -> LiteralMap:
        if self.given is None:
            raise Unknown(
                "an agent has the inputs of an attempt only when it is started",
                where=self.name,
                fix="keep what is needed later in the plugin's key",
            )
        return self.given

    async def inputs_uri(self) -> str:
        uri = Attempt(self.output_prefix).inputs
        if not await self.objects.exists(uri):
            await self.objects.write(uri, (await self.inputs()).SerializeToString(deterministic=True))
        return uri

    async def secret(self, key: str, group: str = "") -> str:
        parts = "_".join(part.upper() for part in (group, key) if part)
        names = (f"ALULA_SECRET_{parts}", f"_FSEC_{parts}")
        found = self.sent.get((group, key)) or next(
            (self.environment[name] for name in names if name in self.environment), None
        )
        if found is None:
            raise Unknown(
                f"there is no secret {key!r}" + (f" of the group {group!r}" if group else ""),
                where=f"neither sent along, nor in the agent's variables {' or '.join(names)}",
                fix="set the variable for the agent, or let the engine send it: send_secrets of the endpoint",
            )
        self.lent.add(found)
        return found

    async def storage(self) -> Mapping[str, str]:
        given = (await self.inputs()).SerializeToString()
        read, write = reach(self._job(given))
        stores = StoreSettings.from_env(self.environment)
        try:
            found = await lend(stores, read=read, write=write, seconds=stores.task_seconds, name=self.name)
        except DataError as exc:
            raise RemoteError(exc.what, where=exc.where, fix=exc.fix) from exc
        self.lent.update(secrets(found))
        return found

    async def reserve(self, pool: str, units: int = 1) -> bool:
        return True  # pools are the engine's

    def callback_url(self) -> str | None:
        return None

    def wake(self) -> None:
        """Engines ask; nobody can be told."""

    def struck(self, text: str) -> str:
        """A text without the secrets that the plugin has."""
        for secret in sorted(self.lent, key=len, reverse=True):
            text = text.replace(secret, _STRUCK)
        return text
