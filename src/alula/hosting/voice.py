"""What the engine is told of attempts: only what has changed."""

from __future__ import annotations

from collections.abc import Callable

from alula._kits.records import replace
from alula._kits.texts import storable
from alula.hosting import verdict
from alula.hosting.ward import Ward
from alula.plugin import showing
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.runner import AttemptId, Failed, Progressed, Report, Shows, Started, Waits

Tell = Callable[[AttemptId, Report], None]
_REASON_CHARS = 2_000


def clean(report: Report) -> Report:
    """A report as every store takes it, whatever texts a plugin gave."""
    match report:
        case Waits() if not _clean(report.reason):
            return Waits(_cut(storable(report.reason)))
        case Progressed(message=str(message)) if not _clean(message):
            return replace(report, message=_cut(storable(message)))
        case Failed():
            code, message = storable(report.failure.code), storable(report.failure.message)
            return replace(report, failure=replace(report.failure, code=code, message=message))
    return report


def _clean(text: str) -> bool:
    return text.isprintable() and len(text) <= _REASON_CHARS


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 4] + " ..."


class Voice:
    """Tells of attempts.

    Args:
        report: Takes reports to the engine.
    """

    def __init__(self, report: Tell) -> None:
        self._report = report

    def show(self, ward: Ward, info: PhaseInfo, *, keep: bool = False) -> None:
        """Tell of an attempt what has changed.

        Args:
            keep: What the plugin said last still counts; this is about the calls.
        """
        id = ward.task.id
        if not keep:
            before, ward.info = ward.info, info
            self.waits(ward, verdict.waits(info))
            if info.phase is Phase.RUNNING and not ward.started:
                ward.started = True
                self._report(id, Started())
            running = info.phase is Phase.RUNNING
            if running and (before is None or (before.progress, before.reason) != (info.progress, info.reason)):
                self._report(id, Progressed(info.progress, info.reason))
        shown = showing.pack(info)
        if shown != ward.shown:
            ward.shown = shown
            self._report(id, Shows(shown))

    def waits(self, ward: Ward, reason: str) -> None:
        if reason != ward.waits:
            ward.waits = reason
            self._report(ward.task.id, Waits(reason))

    def again(self, ward: Ward) -> None:
        """Somebody asks for an attempt that is here already."""
        id = ward.task.id
        if ward.started:
            self._report(id, Started())
        if ward.shown:
            self._report(id, Shows(ward.shown))
        if ward.waits:
            self._report(id, Waits(ward.waits))
