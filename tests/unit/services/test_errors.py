"""What callers are told of errors, and what they are not."""

from __future__ import annotations

import inspect
import logging

import pytest

from alula import errors
from alula.errors import AlulaError, Busy, CompileError, DataError, NameTaken, StoreDamaged, StoreUnavailable, Unknown
from alula.services.errors import Code, status_of

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AlulaError)]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (Unknown("no such task"), Code.NOT_FOUND),
        (NameTaken("taken"), Code.ALREADY_EXISTS),
        (Busy("later"), Code.RESOURCE_EXHAUSTED),
        (CompileError("unfit", faults=["n0.x: is missing"]), Code.INVALID_ARGUMENT),
        (TimeoutError(), Code.DEADLINE_EXCEEDED),
    ],
)
def test_an_error_of_ours_is_told_whole(raised: Exception, code: Code) -> None:
    status = status_of(raised, "S/M")
    assert status.code is code
    assert str(raised) in status.text
    if isinstance(raised, CompileError):
        assert "n0.x: is missing" in status.text


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyError("secret-row"), Code.INTERNAL),
        (StoreDamaged("secret-row in /var/secret"), Code.INTERNAL),
        (StoreUnavailable("secret-row at postgresql://secret"), Code.UNAVAILABLE),
        (DataError("secret-row", where="s3://secret"), Code.UNAVAILABLE),
    ],
)
def test_a_fault_of_this_side_is_logged_under_an_id_and_not_told(
    raised: Exception, code: Code, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        status = status_of(raised, "S/M")
    assert status.code is code
    assert "secret" not in status.text
    (record,) = caplog.records
    said = vars(record)
    assert said["rpc"] == "S/M"
    assert f"id {said['id']}" in status.text
    assert "secret-row" in said["why"]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_nothing_becomes_a_reason_to_sign_in_by_accident(kind: type[AlulaError]) -> None:
    status = status_of(kind("what"), "S/M")
    assert (status.code is Code.UNAUTHENTICATED) == (kind is errors.NotSignedIn)
