from __future__ import annotations

from alula._kits.records import replace
from alula.engine.traces import TRACEPARENT, outside, span_id, trace_id, traceparent
from alula.store.records import ExecutionKey, ExecutionRecord
from tests.unit.engine.stage import START

OUTER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECORD = ExecutionRecord(1, ExecutionKey("p", "d", "n"), "wf", "f", "queued", True, START)


def test_every_process_comes_to_the_same_ids() -> None:
    same = replace(RECORD, owner="another engine", phase="running")
    assert traceparent(RECORD, "n0", 1) == traceparent(same, "n0", 1)


def test_what_differs_in_its_name_or_its_time_of_creation_differs_in_its_ids() -> None:
    other = replace(RECORD, key=ExecutionKey("p", "d", "m"))
    later = replace(RECORD, created_at=START.replace(year=2031))
    assert len({trace_id(one) for one in (RECORD, other, later)}) == 3
    spans = {span_id(RECORD, path, attempt) for path in ("", "n0", "n0/n1") for attempt in (-1, 0, 1)}
    assert len(spans) == 9


def test_an_execution_is_in_the_trace_that_it_was_started_under() -> None:
    inside = replace(RECORD, facts={TRACEPARENT: OUTER})
    assert f"{trace_id(inside):032x}" == "0af7651916cd43dd8448eb211c80319c"
    found = outside(inside)
    assert found is not None
    assert f"{found[1]:016x}" == "b7ad6b7169203331"
    assert traceparent(inside, "n0").startswith("00-0af7651916cd43dd8448eb211c80319c-")


def test_what_is_no_trace_context_counts_for_nothing() -> None:
    for said in ("", "nonsense", OUTER[:-4], OUTER.upper(), f"00-{'0' * 32}-{'1' * 16}-01"):
        assert outside(replace(RECORD, facts={TRACEPARENT: said})) is None


def test_what_is_handed_on_reads_as_what_it_was_made_of() -> None:
    child = replace(RECORD, key=ExecutionKey("p", "d", "c"), facts={TRACEPARENT: traceparent(RECORD, "n0", 2)})
    assert outside(child) == (trace_id(RECORD), span_id(RECORD, "n0", 2))
