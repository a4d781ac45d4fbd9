"""What an execution adds to its attempts, and who has the last word."""

from __future__ import annotations

from alula._kits.records import replace
from alula.engine.facts import RAW_PREFIX, Added, environment_of, facts_of
from alula.idl import TaskTemplate
from alula.idl.admin import LaunchPlanSpec
from alula.idl.service import ExecutionSpec, WorkflowExecutionConfig
from alula.plugin.runner import AttemptId, Job

JOB = Job(AttemptId("p", "d", "ex", "n0", 1, "01234567"), TaskTemplate(), b"", "/data/n0/1")


def test_what_is_said_first_stands_above_what_is_said_after_it() -> None:
    spec, plan, config = ExecutionSpec(), LaunchPlanSpec(), WorkflowExecutionConfig()
    plan.raw_output_data_config.output_location_prefix = "s3://plan"
    config.raw_output_data_config.output_location_prefix = "s3://config"
    for one, value in ((spec, "spec"), (config, "config")):
        one.envs.values.add(key="WHO", value=value)
    config.envs.values.add(key="MODE", value="fast")
    found = facts_of(spec, plan, config)
    assert (found[RAW_PREFIX], environment_of(found)) == ("s3://plan", {"WHO": "spec", "MODE": "fast"})
    assert RAW_PREFIX not in facts_of(spec)


def test_user_data_of_no_two_attempts_share_a_place() -> None:
    added = Added.of_facts({RAW_PREFIX: "s3://mine/data"})
    assert added is not None
    others = (
        replace(JOB.id, **{name: value}) for name, value in (("number", 2), ("path", "n1"), ("store", "76543210"))
    )
    places = [added.to(replace(JOB, id=id)).files.raw for id in (JOB.id, *others)]
    assert len(set(places)) == 4
    assert all(place.startswith("s3://mine/data/") and "/ex-a" in place for place in places)
    assert added.to(JOB).files.outputs == JOB.files.outputs


def test_an_execution_that_says_nothing_adds_nothing() -> None:
    assert Added.of_facts({"cwd": "/here"}) is None
    assert JOB.files.raw == "/data/n0/1/raw"
