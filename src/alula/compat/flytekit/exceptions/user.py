"""Errors that flytekit lays at the user's door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alula.compat.flytekit.exceptions import base
from alula.compat.flytekit.exceptions.base import FlyteException as _FlyteException
from alula.compat.names import mirror
from alula.errors import AlulaError, Recoverable


class FlyteUserException(_FlyteException):
    _ERROR_CODE = "USER:Unknown"


class FlyteUserRuntimeException(_FlyteException):
    """What a task raised, where it runs in a container."""

    _ERROR_CODE = "USER:RuntimeError"

    def __init__(self, exc_value: Exception, timestamp: float | None = None) -> None:
        super().__init__(str(exc_value), timestamp=timestamp)
        self._exc_value = exc_value

    @property
    def value(self) -> Exception:
        return self._exc_value

    @property
    def error_code(self) -> str:
        return str(getattr(self._exc_value, "_ERROR_CODE", self._ERROR_CODE))


class FlyteTypeException(FlyteUserException, TypeError):
    _ERROR_CODE = "USER:TypeError"

    def __init__(
        self, received_type: Any, expected_type: Any, additional_msg: str | None = None, received_value: Any = None
    ) -> None:
        value = f" with value: {received_value}" if received_value is not None else ""
        several = isinstance(expected_type, (list, set, tuple))
        super().__init__(
            f"Type error!  Received: {received_type}{value}, Expected{' one of' if several else ''}: {expected_type}. "
            f"{additional_msg or ''}"
        )


class FlyteValueException(FlyteUserException, ValueError):
    _ERROR_CODE = "USER:ValueError"

    def __init__(self, received_value: Any, error_message: str) -> None:
        super().__init__(f"Value error!  Received: {received_value}. {error_message}")


class FlyteDataNotFoundException(FlyteValueException):
    def __init__(self, path: str) -> None:
        super().__init__(path, "File not found")


class FlyteEntityNotFoundException(FlyteValueException):
    def __init__(self, module_name: str, entity_name: str) -> None:
        super().__init__(entity_name, f"no such entity in {module_name}")

    def __str__(self) -> str:
        return str(self.args[0])


class FlyteAssertion(FlyteUserException, AssertionError):
    _ERROR_CODE = "USER:AssertionError"


class FlyteValidationException(FlyteAssertion):
    _ERROR_CODE = "USER:ValidationError"


class FlyteFailureNodeInputMismatchException(FlyteAssertion):
    _ERROR_CODE = "USER:FailureNodeInputMismatch"


class FlyteDisapprovalException(FlyteAssertion):
    _ERROR_CODE = "USER:ResultNotApproved"


class FlyteEntityAlreadyExistsException(FlyteAssertion):
    _ERROR_CODE = "USER:EntityAlreadyExists"


class FlyteEntityNotExistException(FlyteAssertion):
    _ERROR_CODE = "USER:EntityNotExist"


class FlyteTimeout(FlyteAssertion):
    _ERROR_CODE = "USER:Timeout"


class FlyteRecoverableException(FlyteUserException, base.FlyteRecoverableException, Recoverable):
    """Raised in a task that is worth another attempt."""

    _ERROR_CODE = "USER:Recoverable"

    def __init__(self, *args: Any, timestamp: float | None = None) -> None:
        Recoverable.__init__(self, ",".join(map(str, args)))
        _FlyteException.__init__(self, *args, timestamp=timestamp)


class FlyteAuthenticationException(FlyteAssertion):
    _ERROR_CODE = "USER:AuthenticationError"


class FlyteInvalidInputException(FlyteUserException):
    _ERROR_CODE = "USER:BadInputToAPI"

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


class FlytePromiseAttributeResolveException(FlyteAssertion):
    _ERROR_CODE = "USER:PromiseAttributeResolveError"


class FlyteCompilationException(FlyteUserException):
    """Something is wrong with how a function is written down."""

    _ERROR_CODE = "USER:CompileError"

    def __init__(self, fn: Callable[..., Any], param_name: str | None = None) -> None:
        super().__init__()
        self.fn, self.param_name = fn, param_name

    def _at(self) -> str:
        code = getattr(self.fn, "__code__", None)
        return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""


class FlyteMissingTypeException(FlyteCompilationException):
    _ERROR_CODE = "USER:MissingTypeError"

    def __str__(self) -> str:
        return f"'{self.param_name}' has no type. Please add a type annotation to the input parameter.{self._at()}"


class FlyteMissingReturnValueException(FlyteCompilationException):
    _ERROR_CODE = "USER:MissingReturnValueError"

    def __str__(self) -> str:
        return f"{self.fn.__name__} function must return a value: its return annotation says so.{self._at()}"


__getattr__, __dir__ = mirror(__name__, {})
