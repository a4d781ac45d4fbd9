"""What successful attempts leave: checked against their interface, and kept where it is large."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from alula._kits.records import replace
from alula.data import uris
from alula.data.layout import Execution as Files
from alula.data.layout import Outputs
from alula.engine.flight import Flight
from alula.engine.means import Means
from alula.engine.state import Failure, FailureKind, Values
from alula.engine.values import large, left_behind, misfit, misfit_of_large
from alula.errors import DataError
from alula.plugin.runner import Succeeded

End = Callable[[Flight, Succeeded, Values, bytes], None]
Spawn = Callable[[Flight, Coroutine[Any, Any, None]], None]


class Fail(Protocol):
    def __call__(self, flight: Flight, failure: Failure, *, checkpoint: str = "", closed: bool = True) -> None: ...


class Outcomes:
    """Takes in outputs.

    Args:
        files: Where the files of the execution are.
        end: Called with outputs that fit, or with the job specification that a dynamic task made.
        fail: Called in place of it.
        spawn: Runs what takes time.
    """

    def __init__(self, means: Means, files: Files, *, end: End, fail: Fail, spawn: Spawn) -> None:
        self._means, self._files = means, files
        self._end, self._fail, self._spawn = end, fail, spawn

    def take(self, flight: Flight, report: Succeeded) -> None:
        """An attempt has succeeded, as its runner says."""
        if report.written:
            self._spawn(flight, self._read(flight, report))
        elif report.futures:
            self._end(flight, report, Values(), report.futures)
        elif len(report.outputs) > self._means.depot.inline_bytes or large(report.outputs):
            self._spawn(flight, self._take_large(flight, report))
        elif (failure := misfit(report.outputs, flight.plan.interface)) is not None:
            self._fail(flight, failure, closed=report.closed)
        else:
            self._end(flight, report, Values(report.outputs), b"")

    async def _read(self, flight: Flight, report: Succeeded) -> None:
        files = self._files.attempt(flight.id.path, flight.id.number)
        try:
            found = await left_behind(self._means.depot, files, flight.plan.interface)
        except (DataError, OSError) as exc:
            found = Failure("OutputsUnreadable", str(exc), FailureKind.SYSTEM, recoverable=True)
        if isinstance(found, Failure):
            self._fail(flight, found, closed=report.closed)
        elif found[1]:
            self._end(flight, report, Values(), found[1])
        else:
            await self._take_large(flight, replace(report, outputs=found[0]))

    async def _take_large(self, flight: Flight, report: Succeeded) -> None:
        failure, values = await misfit_of_large(report.outputs, flight.plan.interface), Values()
        if failure is None:
            files: Outputs = self._files.attempt(flight.id.path, flight.id.number)
            try:
                # A name that nobody else writes to: an engine that was paused may come here long after another one.
                own = uris.join(files.prefix, f"outputs-{self._means.rng.getrandbits(64):016x}.pb")
                uri = files.outputs if report.written else own
                values = await self._means.depot.keep(report.outputs, uri, written=report.written)
            except (DataError, OSError) as exc:
                failure = Failure("OutputsNotKept", str(exc), FailureKind.SYSTEM, recoverable=True)
        if failure is not None:
            self._fail(flight, failure, closed=report.closed)
        else:
            self._end(flight, report, values, b"")
