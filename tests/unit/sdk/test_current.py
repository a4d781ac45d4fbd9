from __future__ import annotations

import contextvars
import copy
import logging
import os
import threading
import timeit
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alula.data.workspace import workspace
from alula.errors import CallError, ConfigError, UnknownAttribute
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier
from alula.sdk.checkpoint import SyncCheckpoint
from alula.sdk.current import Context, Deck, Execution, TimelineDeck, current_context, enter, entered, leave, running


def test_outside_of_a_task_there_is_one_local_context() -> None:
    context = contextvars.Context().run(current_context)
    assert context is contextvars.Context().run(current_context)
    assert context.execution_id == WorkflowExecutionIdentifier(project="local", domain="local", name="local")
    assert context.task_id == Identifier(
        resource_type=ResourceType.TASK, project="local", domain="local", name="local", version="local"
    )
    assert context.execution_date.tzinfo is UTC


def test_entered_makes_a_context_current_and_gives_the_former_back() -> None:
    outer, inner = Context(task_id="outer"), Context(task_id="inner")
    with entered(outer):
        with entered(inner) as seen:
            assert current_context() is inner is seen
        assert current_context() is outer
        assert running()
    assert current_context() is not outer
    assert not running()


def test_enter_and_leave_do_the_same_without_a_block() -> None:
    context = Context()
    token = enter(context)
    assert current_context() is context
    leave(token)
    assert current_context() is not context


def test_each_thread_has_its_own() -> None:
    seen: list[bool] = []
    with entered(Context()):
        thread = threading.Thread(target=lambda: seen.append(running()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_a_context_costs_about_a_microsecond() -> None:
    execution = Execution()
    seconds = min(timeit.repeat(lambda: Context(execution, "t"), number=2_000, repeat=20)) / 2_000
    assert seconds < 3e-6, "a busy machine explains a factor of three, not more"


def test_nothing_is_built_before_it_is_asked_for(tmp_path: Path) -> None:
    context = Context(Execution(working_directory=str(tmp_path / "work")))
    assert not (tmp_path / "work").exists()
    assert Path(context.working_directory).parent == tmp_path / "work"
    assert context.working_directory == context.working_directory
    assert os.listdir(context.working_directory) == []


def test_each_task_has_a_directory_of_its_own(tmp_path: Path) -> None:
    execution = Execution(working_directory=str(tmp_path))
    assert Context(execution).working_directory != Context(execution).working_directory


def test_without_places_the_workspace_lends_them() -> None:
    context = Context()
    assert Path(context.working_directory).parent == workspace().directory
    assert context.raw_output_prefix == workspace().prefix


def test_what_the_execution_says_is_what_the_task_sees() -> None:
    date = datetime(2024, 1, 2, tzinfo=UTC)
    id = WorkflowExecutionIdentifier(project="p", domain="d", name="n")
    context = Context(Execution(id, date, raw_output_prefix="s3://b/raw", output_metadata_prefix="s3://b/out"), "m.t")
    assert (context.execution_id, context.execution_date) == (id, date)
    assert (context.raw_output_prefix, context.output_metadata_prefix) == ("s3://b/raw", "s3://b/out")
    assert context.task_id.name == "m.t"


def test_a_task_logs_where_its_platform_listens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "alula.task"):
        Context().logging.info("hello")
    assert caplog.messages == ["hello"]


def test_attributes_of_plugins_are_found_in_either_case() -> None:
    context = Context().with_attrs(spark_session="S")
    assert context.spark_session == context.SPARK_SESSION == context.get("spark_session") == "S"
    assert context.has_attr("Spark_Session")
    assert not context.has_attr("dask")


def test_a_child_shares_all_but_the_attributes() -> None:
    parent = Context(task_id="t", enable_deck=True)
    child = parent.with_attrs(a=1).with_attrs(b=2)
    assert (child.a, child.b, child.enable_deck) == (1, 2, True)
    assert child.default_deck is parent.default_deck
    assert child.working_directory == parent.working_directory
    assert not parent.has_attr("a")


def test_a_builder_adds_attributes_as_flytekit_plugins_do() -> None:
    assert Context().builder().add_attr("SPARK_SESSION", 1).build().spark_session == 1


def test_an_unknown_attribute_says_what_there_is() -> None:
    context = Context(task_id="m.train").with_attrs(spark_session=1)
    with pytest.raises(UnknownAttribute) as caught:
        context.spark_sesion  # noqa: B018 - the access is the test
    assert "'spark_sesion'" in caught.value.what
    assert "m.train" in caught.value.where
    assert "spark_session" in caught.value.where
    assert isinstance(caught.value, AssertionError)
    assert not hasattr(context, "nope")


def test_a_context_can_be_copied() -> None:
    assert copy.copy(Context(task_id="t")).task_id.name == "t"


def test_a_deck_goes_into_the_report_of_the_running_task() -> None:
    with entered(Context()) as context:
        deck = Deck("plots", "<b>1</b>").append("<b>2</b>")
        Deck("kept apart", auto_add_to_deck=False)
        assert context.decks == [deck]
    assert deck.html == "<b>1</b>\n<b>2</b>"


def test_the_default_deck_is_one_per_task() -> None:
    context = Context()
    context.default_deck.append("a")
    context.default_deck.append("b")
    assert [deck.name for deck in context.decks] == ["default"]
    assert context.default_deck.html == "\na\nb"


def test_a_deck_takes_only_html() -> None:
    with pytest.raises(CallError, match="got int: 5"):
        Deck("d", auto_add_to_deck=False).append(5)  # type: ignore[arg-type]


def test_the_timeline_is_drawn_from_its_parts_and_escaped() -> None:
    timeline = Context().timeline_deck
    assert timeline.html == ""
    timeline.append_time_info({"Name": "<load>", "WallTime": 2.0, "ProcessTime": 0.5})
    timeline.append_time_info({"Name": "fit", "WallTime": 1.0, "ProcessTime": 0.5})
    assert "&lt;load&gt;" in timeline.html
    assert "width:50.0%" in timeline.html


def test_the_timeline_of_the_report_is_the_one_that_is_found() -> None:
    with entered(Context()) as context:
        assert context.timeline_deck is context.timeline_deck
        shown = TimelineDeck("Timeline")
        assert context.timeline_deck is shown


def test_publish_hands_the_report_to_whoever_runs_the_task() -> None:
    published: list[Context] = []
    with entered(Context(Execution(publish=published.append), enable_deck=True)) as context:
        Deck.publish()
    assert published == [context]


def test_publish_without_a_report_says_so(caplog: pytest.LogCaptureFixture) -> None:
    published: list[Context] = []
    with entered(Context(Execution(publish=published.append), task_id="m.t")):
        Deck.publish()
    assert published == []
    assert "enable_deck=True on task m.t" in caplog.text


def test_publish_without_a_place_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with entered(Context(enable_deck=True)):
        Deck.publish()
    assert "deck.nowhere" in caplog.text


def test_a_local_task_has_a_checkpoint_that_its_next_attempt_finds() -> None:
    first = Context()
    assert not first.checkpoint.prev_exists()
    first.checkpoint.write(b"1")
    second = first.next_attempt()
    assert second.working_directory != first.working_directory
    assert second.checkpoint.read() == b"1"
    third = second.next_attempt()
    assert third.checkpoint.read() == b"1"
    third.checkpoint.write(b"3")
    assert third.next_attempt().checkpoint.read() == b"3"


def test_an_attempt_after_one_that_saved_nothing_finds_nothing() -> None:
    first = Context()
    assert first.checkpoint.read() is None
    assert not first.next_attempt().checkpoint.prev_exists()
    assert not Context().next_attempt().checkpoint.prev_exists()


def test_in_a_container_checkpoints_need_a_place() -> None:
    with pytest.raises(ConfigError, match="no place for checkpoints"):
        Context(Execution(local=False)).checkpoint.read()


def test_in_a_container_checkpoints_go_where_they_are_told(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "state").write_bytes(b"0")
    run = Execution(
        local=False, checkpoint_destination=str(tmp_path / "new"), checkpoint_previous=str(tmp_path / "old")
    )
    checkpoint = Context(run).checkpoint
    assert isinstance(checkpoint, SyncCheckpoint)
    assert checkpoint.read() == b"0"
    checkpoint.write(b"1")
    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [b"1"]


def test_stats_are_those_of_the_task() -> None:
    context = Context()
    context.stats.incr("rows")
    assert context.stats.counters == {"rows": 1}
