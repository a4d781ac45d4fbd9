"""Which files of which executions something refers to: found in the bytes of rows, values and cache entries.

URIs stand in literals, msgpack and JSON as they are, so they can be looked for without knowing any type. What is found
may be too much, and then a file stays longer; it is never too little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from alula.data import uris
from alula.data.layout import Execution
from alula.store.records import ExecutionKey

Names = tuple[str, str, str]
"""Project, domain and execution, as they are written in paths."""
_SEGMENT = rb"([A-Za-z0-9_.~%-]+)"


def names_of(key: ExecutionKey) -> Names:
    project, domain, name = (
        uris.rest(Execution.under("/", project=key.project, domain=key.domain, name=key.name).prefix)
        .strip("/")
        .split("/")
    )
    return project, domain, name


@dataclass(slots=True)
class References:
    """What is in use.

    Args:
        data: URI prefix of the files of executions.
        wanted: The executions that anybody asks about; others are not noted.
    """

    data: str
    wanted: set[Names]
    attempts: set[tuple[Names, str, str]] = field(default_factory=set)
    """Execution, node and attempt."""
    whole: set[Names] = field(default_factory=set)
    """Executions of which all files are in use, as far as it can be told."""
    _pattern: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        base = uris.rest(uris.base(self.data))
        spelled = {base.encode(), json.dumps(base)[1:-1].encode()}
        start = b"|".join(re.escape(one) for one in sorted(spelled))
        self._pattern = re.compile(
            rb"(?:"
            + start
            + rb")"
            + _SEGMENT
            + rb"/"
            + _SEGMENT
            + rb"/"
            + _SEGMENT
            + rb"(?:/"
            + _SEGMENT
            + rb"/(\d+)/)?"
        )

    def note(self, *texts: bytes) -> bool:
        """Look for references in some bytes; whether there was any to the executions asked about."""
        found = False
        for text in texts:
            for match in self._pattern.finditer(text):
                found |= self._noted(*(group.decode() if group is not None else "" for group in match.groups()))
        return found

    def _noted(self, project: str, domain: str, name: str, node: str, attempt: str) -> bool:
        execution = project, domain, name
        if node:
            if execution in self.wanted:
                self.attempts.add((execution, node, attempt))
            return execution in self.wanted
        # No slash ends the name, so what follows it in the bytes may look like a part of it.
        near = [one for one in self.wanted if one[:2] == (project, domain) and name.startswith(one[2])]
        self.whole.update(near)
        return bool(near)

    def uses(self, execution: Names, path: str) -> bool:
        """Whether a file is in use, by its path below the prefix of its execution."""
        if execution in self.whole:
            return True
        node, _, rest = path.partition("/")
        return (execution, node, rest.partition("/")[0]) in self.attempts

    def any_of(self, executions: Iterable[Names]) -> bool:
        """Whether anything of these is in use."""
        several = set(executions)
        return bool(several & self.whole) or any(one[0] in several for one in self.attempts)
