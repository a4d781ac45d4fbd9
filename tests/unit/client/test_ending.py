"""The end of an execution as an exception."""

from __future__ import annotations

import pytest

from alula.client.ending import as_error
from alula.engine.state import Failure
from alula.errors import TaskTimeout
from alula.store.records import ExecutionKey, ExecutionRecord
from tests.unit.engine.stage import START

RECORD = ExecutionRecord(1, ExecutionKey("p", "d", "n"), "wf", "f", "failed", False, START)


@pytest.mark.parametrize(
    ("code", "timeout"),
    [
        ("TimeoutExpired", True),
        ("RetriesExhausted|TimeoutExpired", True),
        ("RetriesExhausted|QueuedTimeout", True),
        ("RetriesExhausted|USER:TimeoutError", False),
        ("USER:TimeoutExpired", False),
    ],
)
def test_a_timeout_is_one_with_and_without_retries(code: str, timeout: bool) -> None:
    assert isinstance(as_error(RECORD, Failure(code, "it took too long")), TaskTimeout) == timeout
