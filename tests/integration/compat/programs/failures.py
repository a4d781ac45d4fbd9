"""Errors: of user code, of types, of calls; failure handlers; what can be caught as what."""

import typing
from typing import List, Optional

import flytekit
from flytekit import WorkflowFailurePolicy, dynamic, task, workflow
from flytekit.core.type_engine import TypeTransformerFailedError
from flytekit.exceptions.base import FlyteException
from flytekit.exceptions.user import (
    FlyteAssertion,
    FlyteRecoverableException,
    FlyteUserException,
    FlyteValidationException,
)
from flytekit.types.error.error import FlyteError

log = []


@task
def broken(a: int) -> int:
    if a > 0:
        raise ValueError(f"bad {a}")
    return a


@task
def flaky(a: int) -> int:
    if a > 0:
        raise FlyteRecoverableException(f"again {a}")
    return a


@task
def fine(a: int) -> int:
    log.append(("fine", a))
    return a


@task
def wrong_type(a: int) -> int:
    return "text"  # type: ignore


@task
def cleanup(a: int, err: Optional[FlyteError] = None):
    log.append(("cleanup", a, err is not None))


@workflow(on_failure=cleanup)
def guarded(a: int) -> int:
    return broken(a=a)


@workflow
def clean_wf(a: int, err: Optional[FlyteError] = None):
    cleanup(a=a, err=err)


@workflow(on_failure=clean_wf)
def guarded_by_wf(a: int) -> int:
    return broken(a=fine(a=a))


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def policy(a: int) -> int:
    return fine(a=a)


@workflow
def plain(a: int) -> int:
    return broken(a=a)


@dynamic
def dyn(a: int) -> int:
    return broken(a=a)


@task
def needs_list(values: List[int]) -> int:
    return len(values)


def attempt(what, f):
    try:
        print(what, "->", f())
    except Exception as e:
        kinds = [
            k.__name__
            for k in (
                ValueError,
                TypeError,
                AssertionError,
                FlyteException,
                FlyteUserException,
                FlyteAssertion,
                FlyteValidationException,
                FlyteRecoverableException,
                TypeTransformerFailedError,
            )
            if isinstance(e, k)
        ]
        print(what, kinds)
        return e


if __name__ == "__main__":
    for f in (broken, plain, dyn, guarded, guarded_by_wf):
        e = attempt(f.name, lambda f=f: f(a=1))
        print("   bad 1" in str(e) or "bad 1" in str(e), "broken" in str(e))
    print(str(attempt("message", lambda: broken(a=1))))
    attempt("flaky", lambda: flaky(a=1))
    print(log, policy(a=5))
    attempt("wrong output", lambda: wrong_type(a=1))
    attempt("wrong input", lambda: fine(a="x"))
    attempt("list", lambda: needs_list(values=["a"]))
    for wrong in (lambda: fine(), lambda: fine(b=1), lambda: fine(1, 2)):
        try:
            wrong()
        except (TypeError, AssertionError):
            print("a wrong call")

    def declared():
        @task
        def untyped(a) -> int:
            return a

    def tuple_input():
        @task
        def tupled(a: typing.Tuple[int, str]) -> int:
            return a[0]

    e = attempt("no hint", declared)
    attempt("raise", lambda: (_ for _ in ()).throw(FlyteAssertion("x")))
    print(FlyteRecoverableException.error_code, FlyteAssertion.error_code, FlyteException.error_code)
    print(FlyteUserException.error_code, repr(FlyteValidationException("text")), str(FlyteAssertion("text")))
    print(isinstance(FlyteError(message="m", failed_node_id="n"), FlyteError), flytekit.__version__ != "")
