"""What tasks, workflows and launch plans have in common when they are registered and looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alula.admin.desk import Desk
from alula.admin.entities import Check, Specs, register
from alula.errors import NameTaken, RequestError
from alula.idl import Identifier
from alula.idl.ids import type_name
from alula.store.records import EntityRecord


@dataclass(frozen=True, slots=True)
class Registry:
    """What is registered, as the calls of the control plane see it."""

    desk: Desk
    check: Check = lambda template: ()
    """What is wrong with a task, as the plugin says that would run it."""

    async def add(self, specs: Specs) -> Sequence[EntityRecord]:
        """Register, all or nothing; the same again is fine.

        Raises:
            RequestError: It cannot be registered so; also where a version is there with another content, so that
                clients, which take ALREADY_EXISTS for "the same is there", hear of it.
            CompileError: A workflow does not hold together.
        """
        try:
            return await register(self.desk.store, specs, now=self.desk.clock.now(), check=self.check)
        except NameTaken as exc:
            raise RequestError(exc.what, where=exc.where, fix=exc.fix) from exc

    async def get(self, id: Identifier) -> EntityRecord:
        """Raises Unknown."""
        store = self.desk.store
        return await store.entity(type_name(id.resource_type), id.project, id.domain, id.name, id.version)
