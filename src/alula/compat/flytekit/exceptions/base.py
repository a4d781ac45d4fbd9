"""The root of flytekit's errors."""

from __future__ import annotations

from typing import Any

from alula.compat.names import mirror


class Coded(type):
    """Gives an error class its code as an attribute of the class."""

    _ERROR_CODE: str

    @property
    def error_code(cls) -> str:
        return cls._ERROR_CODE


class FlyteException(Exception, metaclass=Coded):
    _ERROR_CODE = "UnknownFlyteException"

    def __init__(self, *args: Any, timestamp: float | None = None) -> None:
        Exception.__init__(self, *args)
        self._timestamp = timestamp

    @property
    def timestamp(self) -> float | None:
        """Seconds since the epoch."""
        return self._timestamp

    def __str__(self) -> str:
        said = ",".join(map(str, self.args)) if self.args else "None"
        return f"{self._ERROR_CODE}: error={said}" + (f", cause={self.__cause__}" if self.__cause__ else "")


class FlyteRecoverableException(FlyteException):
    _ERROR_CODE = "RecoverableFlyteException"


__getattr__, __dir__ = mirror(__name__, {})
