"""Errors that flytekit lays at the platform's door."""

from __future__ import annotations

from typing import Any

from alula.compat.flytekit.exceptions.base import FlyteException, FlyteRecoverableException
from alula.compat.names import mirror


class FlyteSystemException(FlyteRecoverableException):
    _ERROR_CODE = "SYSTEM:Unknown"


class FlyteSystemUnavailableException(FlyteSystemException):
    _ERROR_CODE = "SYSTEM:Unavailable"


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    _ERROR_CODE = "SYSTEM:NotImplemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    _ERROR_CODE = "SYSTEM:UnloadableCode"

    def __init__(self, task_module: str, task_name: str | None = None, additional_msg: str | None = None) -> None:
        what = f"Could not find the task: '{task_name}' in '{task_module}'" if task_name else task_module
        because = f" due to error: {additional_msg}" if additional_msg else ""
        super().__init__(f"Entrypoint is not loadable!  {what}{because}")


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    _ERROR_CODE = "SYSTEM:AssertionError"


class FlyteAgentNotFound(FlyteSystemException, AssertionError):
    _ERROR_CODE = "SYSTEM:AgentNotFound"


class FlyteConnectorNotFound(FlyteSystemException, AssertionError):
    _ERROR_CODE = "SYSTEM:ConnectorNotFound"


class FlyteDownloadDataException(FlyteSystemException):
    _ERROR_CODE = "SYSTEM:DownloadDataError"


class FlyteUploadDataException(FlyteSystemException):
    _ERROR_CODE = "SYSTEM:UploadDataError"


class FlyteNonRecoverableSystemException(FlyteException):
    """What went wrong on the platform's side of a task, and is not worth another attempt."""

    _ERROR_CODE = "USER:NonRecoverableSystemError"

    def __init__(self, exc_value: Exception, *rest: Any) -> None:
        super().__init__(str(exc_value), *rest)
        self._exc_value = exc_value

    @property
    def value(self) -> Exception:
        return self._exc_value


__getattr__, __dir__ = mirror(__name__, {})
