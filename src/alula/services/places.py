"""What counts in a project and domain when something is made there; kept for a second, so that many pay once."""

from __future__ import annotations

from collections import OrderedDict

from alula.admin.attributes import Rules, rules_of
from alula.admin.desk import Desk
from alula.admin.names import place_faults
from alula.admin.projects import check_open
from alula.sections import ResourcesConfig
from alula.store.plan_records import ProjectRecord

_SECONDS = 1.0
_KEPT = 1_000


class Places:
    """Projects and their rules.

    Args:
        settings: What counts for resources where attributes say nothing.

    Raises:
        ValueError: The settings cannot be.
    """

    def __init__(self, desk: Desk, settings: ResourcesConfig) -> None:
        self._desk, self._settings = desk, settings
        rules_of((), settings)  # so that settings that cannot be are told at the start
        self._projects: dict[str, ProjectRecord] = {}
        self._projects_at = 0.0
        self._rules: OrderedDict[tuple[str, str, str], tuple[float, Rules]] = OrderedDict()

    async def enter(self, project: str, domain: str) -> None:
        """See that something may be made in a project; one that nobody knows is made.

        Raises:
            Untimely: It is archived.
        """
        if place_faults(project, domain):
            return  # whoever makes something there says it, with all else
        now = self._desk.clock.monotonic()
        if project not in self._projects or now - self._projects_at > _SECONDS:
            self._projects = {one.id: one for one in await self._desk.store.projects()}
            self._projects_at = now
        if project not in self._projects:
            made = ProjectRecord(project, project)
            await self._desk.store.keep_project(made)
            self._projects[project] = made
        check_open(self._projects[project])

    async def rules(self, project: str, domain: str, workflow: str) -> Rules:
        """What counts for executions of a workflow."""
        key, now = (project, domain, workflow), self._desk.clock.monotonic()
        at, found = self._rules.get(key, (0.0, None))
        if found is None or now - at > _SECONDS:
            found = rules_of(await self._desk.store.attributes_for(*key), self._settings)
            self._rules[key] = now, found
            self._rules.move_to_end(key)
            if len(self._rules) > _KEPT:
                self._rules.popitem(last=False)
        return found
