from __future__ import annotations

import asyncio

from alula.admin.outline import Plans
from alula.idl.reports import Span
from alula.idl.service import WorkflowExecutionGetMetricsRequest
from alula.plugin.runner import Succeeded
from alula.services.metrics import Metrics
from tests.unit.admin import office
from tests.unit.engine.build import step
from tests.unit.engine.drive import FakeRunner, after, clock, ended, outputs, virtual
from tests.unit.services.control import CALL, Control, id


def seconds(span: Span) -> float:
    return (span.end_time.ToDatetime() - span.start_time.ToDatetime()).total_seconds()


@virtual
async def test_where_the_time_went_is_told_as_deep_as_asked() -> None:
    at = Control.over(office.desk(clock=clock()))
    made = await office.start(at.desk, office.workflow(step("n0"), step("n1", "n0"), gives="n1"))
    slow = FakeRunner(default=after(60, Succeeded(outputs(o0=1))))
    async with at.driven(slow):
        await asyncio.sleep(90)
        part = await spans(at, 2)
        await ended(at.desk.store, made.record.id)
    assert 85 < seconds(part) <= 90
    assert [seconds(one) > 20 for one in part.spans if one.HasField("node_id")] == [True, True]
    assert not (await spans(at, 0)).spans
    flat = await spans(at, 1)
    assert [one.operation_id or one.node_id.node_id for one in flat.spans] == [
        "WORKFLOW_SETUP",
        "n0",
        "n1",
        "WORKFLOW_TEARDOWN",
    ]
    assert not any(one.spans for one in flat.spans)
    deep = await spans(at, 5)
    assert seconds(deep) >= 120
    node = deep.spans[1]
    assert [one.operation_id or one.task_id.retry_attempt for one in node.spans] == ["NODE_SETUP", 0, "NODE_TEARDOWN"]
    setup, runtime = node.spans[1].spans
    assert (setup.operation_id, runtime.operation_id) == ("TASK_SETUP", "TASK_RUNTIME")
    assert 59 < seconds(runtime) < 61


async def spans(at: Control, depth: int) -> Span:
    request = WorkflowExecutionGetMetricsRequest(id=id("ex"), depth=depth)
    return (await Metrics(at.desk, Plans(at.desk)).GetExecutionMetrics(request, CALL)).span
