"""Where the files of an execution live under a prefix; pure.

    <root>/<project>/<domain>/<execution>/inputs.pb, outputs.pb
    <root>/<project>/<domain>/<execution>/<node>/<attempt>/inputs.pb
                                                          /outputs.pb | error.pb | futures.pb
                                                          /task.pb, deck.html, progress.pb, log.txt
                                                          /checkpoint/, raw/
                                                          /<index>/<attempt>/...    of one element of an array

Attempts and indices count from 0. A container is told its prefixes on the command line, so only whoever starts
attempts needs `Execution`; the container itself uses `Outputs`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from alula.data import uris
from alula.errors import DataError

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""Names that stay as they are, which is nearly all."""
_LONGEST, _SHORT = 255, 200
"""Characters of a path segment that file systems take, and what is kept of a longer one."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a task leaves under its output prefix: one of `outputs`, `error` and `futures`, as its last act."""

    prefix: str

    @property
    def outputs(self) -> str:
        """A `LiteralMap`, also when there are no outputs."""
        return uris.join(self.prefix, "outputs.pb")

    @property
    def error(self) -> str:
        """An `ErrorDocument`."""
        return uris.join(self.prefix, "error.pb")

    @property
    def futures(self) -> str:
        """A `DynamicJobSpec`: nodes that a dynamic task made."""
        return uris.join(self.prefix, "futures.pb")

    @property
    def deck(self) -> str:
        """The HTML report; may be overwritten while the task runs."""
        return uris.join(self.prefix, "deck.html")

    @property
    def progress(self) -> str:
        """How far the task is; overwritten while it runs."""
        return uris.join(self.prefix, "progress.pb")


@dataclass(frozen=True, slots=True)
class Attempt(Outputs):
    """The files of one attempt; its outputs lie beside its inputs. No two attempts share one."""

    user_data: str = ""
    """The prefix of the files that outputs point to, if the user wants them elsewhere; see `user_data_below`."""

    @property
    def inputs(self) -> str:
        """A `LiteralMap`, written before the attempt starts."""
        return uris.join(self.prefix, "inputs.pb")

    @property
    def template(self) -> str:
        """The `TaskTemplate`, for containers that ask for it."""
        return uris.join(self.prefix, "task.pb")

    @property
    def raw(self) -> str:
        """Prefix of the files, directories and data sets that the outputs point to."""
        return self.user_data or uris.join(self.prefix, "raw")

    @property
    def checkpoint(self) -> str:
        """Prefix of what the task saves for the attempt after it."""
        return uris.join(self.prefix, "checkpoint")

    @property
    def log(self) -> str:
        """What the task printed, stdout and stderr in order; absent if that is nothing. Grows while it runs."""
        return uris.join(self.prefix, "log.txt")

    def element(self, index: int, attempt: int = 0) -> Attempt:
        """The files of one attempt of one element, when this is an attempt of an array."""
        return Attempt(uris.join(self.prefix, _count("index", index), _count("attempt", attempt)))


@dataclass(frozen=True, slots=True)
class Execution:
    """The files of one execution. No two executions share one."""

    prefix: str

    @classmethod
    def under(cls, root: str, *, project: str, domain: str, name: str) -> Execution:
        """The execution of that name below `root`, a URI."""
        return cls(uris.join(root, _segment(project), _segment(domain), _segment(name)))

    @property
    def inputs(self) -> str:
        """The `LiteralMap` that the execution was created with."""
        return uris.join(self.prefix, "inputs.pb")

    @property
    def outputs(self) -> str:
        """The `LiteralMap` that the execution returned."""
        return uris.join(self.prefix, "outputs.pb")

    def attempt(self, node: str, attempt: int) -> Attempt:
        """The files of one attempt of a node, named by its id within the execution."""
        return Attempt(uris.join(self.prefix, _node(node), _count("attempt", attempt)))


def user_data_below(prefix: str, *, execution: str, name: str) -> str:
    """Where the user data of one attempt go below a prefix that the user has chosen.

    Two characters come first, as in Flyte: object stores spread their load by how names begin.

    Args:
        name: Of the attempt, as nobody else has it; its end is as good as random.
    """
    return uris.join(prefix, name[-2:], f"{_segment(execution)}-{_segment(name)}")


def _segment(name: str) -> str:
    """A name as one path segment: itself if it is made of the letters that Flyte allows, else percent-encoded."""
    if not name:
        raise DataError(
            "an empty name has no place in a path", fix="give the project, domain, execution and node names"
        )
    if _PLAIN.fullmatch(name):
        return name
    encoded = quote(name, safe="")
    return encoded if name.strip(".") else encoded.replace(".", "%2E")


def _node(name: str) -> str:
    """A node's path as one path segment without percents: flytekit takes the URI of a file for an encoded one, and
    decodes it. `n2/dn0` is `n2.2Fdn0`. What is too long for a disk, deep inside of others, ends in its digest."""
    made = name if _PLAIN.fullmatch(name) else _segment(name).replace(".", "%2E").replace("%", ".")
    if len(made) <= _LONGEST:
        return made
    return f"{made[:_SHORT]}.x{hashlib.sha256(name.encode()).hexdigest()[:32]}"  # no character is written `.x`


def _count(what: str, number: int) -> str:
    if number < 0:
        raise DataError(f"{what} is {number}", fix="count from 0")
    return str(number)
