"""Every error that Alula raises on purpose.

AlulaError
  x AuthoringError        the user's Python is wrong; raised at declaration or at compile time
    - UnsupportedType       no transformer accepts a declared type
    - RestrictedType        the type is known, and refused as an input or output
    - SignatureError        hints, defaults or the number of outputs are wrong
    - CallError             a task or workflow is called with wrong arguments
    - UnknownAttribute      the context of a task has no such attribute
    - PromiseError          a promise is used as if it were a value
    - CompileError          the workflow as a whole does not hold together; carries all faults
  x ConversionError       a value does not fit its declared type
    - AmbiguousUnion        more than one variant of a union takes the value
  x TaskFailure           a task attempt ended badly; carries kind and origin
    - Recoverable           raised by user code that wants to be tried again
    - TaskTimeout           the attempt took longer than its timeout
    - Disapproved           someone said no at an approval gate
    - BranchFailed          a conditional ended in its fail() branch
  x IgnoreOutputs         not a failure: this container of a task has nothing to leave
  x ImageError            a container image could not be built, pushed or looked up
  x PluginError           a plugin broke its contract or could not be loaded
  x RemoteError           what a plugin's remote said or did; tried again, and never charged to the user
    - RemoteNotFound        the job is gone
    - ImageMissing          a container engine does not have the image
    - Throttled             it wants to be asked less often
    - NotReady              what the call needs is on its way; no failure, and asked again later
    - Rejected              it refuses the task for good: the attempt fails, at the user's cost
  x DataError             bytes could not be read or written
    - ObjectNotFound
    - DamagedData           the bytes are there, and are not what they should be
    - UnsafeArchive
  x StoreError            the durable store could not do what was asked
    - StoreUnavailable      locked, full or unreachable; later it may work
    - StoreDamaged          corrupt, or of a newer version; it will not
    - FenceLost             another engine has the execution now
    - Unstorable            who asked gave it a text that no database takes; a RequestError, too
  x RequestError          what was asked for cannot be, whoever asks
    - NameTaken             the name stands for something else
    - Busy                  too much is open already; later it is fine
      - AtLimit               as many executions of a launch plan run as it allows
    - Unknown               there is no such execution, entity, version, node or signal
    - Untimely              it could be asked at another time: the execution is over, or not there yet
    - NotOffered            this program does not do that at all
    - NotSignedIn           it does not say who asks
    - Forbidden             whoever asks may not
  x ConfigError           settings or command-line input are wrong

Some of them are also the builtin that Python programmers expect (`TypeError`, `ValueError`, ...), so that
`except ValueError` keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class AlulaError(Exception):
    """What went wrong, where, and how to fix it.

    Args:
        what: One sentence that holds the offending value or name.
        where: Task, parameter, `file:line`, URI or rpc.
        fix: A command or a code change.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def about(self, what: str) -> str:
        """What went wrong, said of `what`: `input 'xs' of 'add' at [3]: expected int, ...`."""
        return f"{what}: {self.what}"

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


def note(exc: BaseException, text: str) -> None:
    """Add a line to what an exception says, once; also to one that lets no attribute be set, such as a frozen one."""
    notes = exc.__dict__.setdefault("__notes__", [])
    if text not in notes:
        notes.append(text)


class AuthoringError(AlulaError): ...


class UnsupportedType(AuthoringError, TypeError, ValueError): ...


class RestrictedType(UnsupportedType): ...


class SignatureError(AuthoringError, TypeError, ValueError): ...


class CallError(AuthoringError, TypeError, ValueError, AssertionError): ...


class UnknownAttribute(AuthoringError, AttributeError, AssertionError): ...


class PromiseError(AuthoringError, TypeError, ValueError, AssertionError): ...


class CompileError(AuthoringError, ValueError, AssertionError):
    """A workflow that does not hold together.

    `faults` holds one line per fault, each with its path (`n3.inputs.x`).
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", faults: Sequence[str] = ()) -> None:
        super().__init__(what, where=where, fix=fix)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        head, *rest = super().__str__().splitlines()
        return "\n".join([head, *(f"  - {fault}" for fault in self.faults), *rest])


class ConversionError(AlulaError, TypeError, ValueError, AssertionError):
    """A value does not fit its declared type.

    `path` leads from the value to the part that does not (`[3].name`), empty for the value as a whole.
    Whoever looks into a value adds the step it took: `raise exc.inside("[3]")`.
    """

    path = ""

    def inside(self, step: str) -> Self:
        self.path = step + self.path
        return self

    def about(self, what: str) -> str:
        return super().about(f"{what} at {self.path}" if self.path else what)

    def __str__(self) -> str:
        return f"{self.path}: {super().__str__()}" if self.path else super().__str__()


class AmbiguousUnion(ConversionError): ...


class TaskFailure(AlulaError):
    """A task attempt that ended badly.

    Args:
        code: Short stable word (`USER:ValueError`, `Timeout`).
        recoverable: Another attempt may succeed; costs one of the retries.
        origin: `user` or `system`: whose budget pays for the retry.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        code: str = "USER:Unknown",
        recoverable: bool = False,
        origin: str = "user",
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.code, self.recoverable, self.origin = code, recoverable, origin


class Recoverable(TaskFailure):
    """Raise it in a task to be tried again, within the task's retries."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, code="USER:Recoverable", recoverable=True)


class TaskTimeout(TaskFailure, TimeoutError):
    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, code="Timeout", recoverable=True)


class Disapproved(TaskFailure):
    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, code="USER:Disapproved")


class BranchFailed(TaskFailure, ValueError):
    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, code="USER:BranchFailed")


class IgnoreOutputs(AlulaError):
    """Raise it where one of several containers of a task shall leave neither outputs nor an error."""

    def __init__(self, what: str = "", *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)


class ImageError(AlulaError): ...


class PluginError(AlulaError): ...


class RemoteError(AlulaError): ...


class RemoteNotFound(RemoteError, LookupError): ...


class ImageMissing(RemoteError, LookupError): ...


_LONGEST_SECONDS = 86_400.0
_READY_SECONDS = 30.0


def _seconds(said: object) -> float | None:
    """A pause as a remote says it: as text, as it stands in a header, and by another clock. None: it is no number."""
    try:
        seconds = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _LONGEST_SECONDS) if seconds == seconds else None


class Throttled(RemoteError):
    """The remote wants to be asked less often.

    Args:
        retry_after: Seconds that it asks for; None: it does not say.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.retry_after = None if retry_after is None else _seconds(retry_after)


class NotReady(RemoteError):
    """What a call needs is on its way, as an image that is being pulled. Nothing was done, and nothing has failed: the
    attempt waits, and the call is made again.

    Args:
        after: Seconds after which to ask again, unless `TaskContext.wake` comes first.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", after: float = _READY_SECONDS) -> None:
        super().__init__(what, where=where, fix=fix)
        seconds = _seconds(after)
        self.after = _READY_SECONDS if seconds is None else seconds


class Rejected(RemoteError, ValueError):
    """The remote, or the plugin itself, refuses the task for good: trying again would not help.

    Args:
        code: What the failure is called: `QueryFailed`, `BadTaskFormat`.
        recoverable: Another attempt may succeed after all: what was wrong came out of this one.
    """

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", code: str = "BadTaskFormat", recoverable: bool = False
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.code, self.recoverable = code, recoverable


class DataError(AlulaError, OSError): ...


class ObjectNotFound(DataError, FileNotFoundError): ...


class DamagedData(DataError): ...


class UnsafeArchive(DataError): ...


class ConfigError(AlulaError, ValueError): ...


class StoreError(AlulaError): ...


class StoreUnavailable(StoreError): ...


class StoreDamaged(StoreError): ...


class FenceLost(StoreError): ...


class RequestError(AlulaError): ...


class Unstorable(RequestError, StoreError): ...


class NameTaken(RequestError, ValueError): ...


class Busy(RequestError):
    """There is too much to do already. The same request is fine later."""


class AtLimit(Busy):
    """As many executions of a launch plan run as it allows at a time."""


class Unknown(RequestError, LookupError): ...


class Untimely(RequestError):
    """What it is asked of is not in a state for it."""


class NotOffered(RequestError): ...


class NotSignedIn(RequestError): ...


class Forbidden(RequestError): ...
