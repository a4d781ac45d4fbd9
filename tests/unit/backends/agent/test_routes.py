"""Which agent serves which task type: versions, pins, leases, and nothing that is unlearned (M32, D4, D5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.backends.agent.routes import Category, Known, Offer, Routes
from alula.errors import RemoteError
from alula.idl import TaskTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
BEFORE = NOW - timedelta(minutes=1)


def serving(name: str, *types: str, sync: bool = False, **more: object) -> Known:
    offer = Offer({Category.read(one): sync for one in types})
    return Known(name, f"{name}:1", offer, **more)  # type: ignore[arg-type]


def chosen(routes: Routes, wanted: str) -> str | None:
    route = routes.to(Category.read(wanted), NOW)
    return route.known.name if route is not None else None


def test_versions_of_one_type_go_to_different_agents() -> None:
    routes = Routes.of([serving("old", "spark@0"), serving("new", "spark@1")])
    assert (chosen(routes, "spark@0"), chosen(routes, "spark@1")) == ("old", "new")


def test_one_agent_may_serve_several_versions() -> None:
    routes = Routes.of([serving("both", "spark@0", "spark@1")])
    assert (chosen(routes, "spark@0"), chosen(routes, "spark@1")) == ("both", "both")


def test_another_version_is_no_match_and_the_reason_names_those_there_are() -> None:
    routes = Routes.of([serving("a", "spark@0", "spark@1")])
    assert chosen(routes, "spark@2") is None
    assert "only spark@0, spark@1" in routes.unserved(Category("spark", 2))


def test_an_agent_that_does_not_answer_keeps_its_types() -> None:
    routes = Routes.of([serving("down", "spark@0", since=BEFORE, problem="refused"), serving("zz", "spark@0")])
    assert chosen(routes, "spark@0") == "down"


def test_the_operators_word_counts_before_the_agents_own() -> None:
    rivals = [serving("a", "spark@0"), serving("b", "spark@0", pins={"spark": False})]
    assert chosen(Routes.of(rivals), "spark@0") == "b"
    rivals.append(Known("c", "c:1", pins={"spark@0": False}))
    assert chosen(Routes.of(rivals), "spark@0") == "c"


def test_who_is_in_the_settings_comes_before_who_announced_itself() -> None:
    routes = Routes.of([serving("a", "x@0", announced=True, until=LATER), serving("b", "x@0")])
    assert chosen(routes, "x@0") == "b"


def test_another_takes_over_only_when_the_lease_is_over() -> None:
    first = serving("a", "x@0", announced=True, until=LATER, since=BEFORE)
    second = serving("b", "x@0", announced=True, until=LATER)
    assert chosen(Routes.of([first, second]), "x@0") == "a"
    over = serving("a", "x@0", announced=True, until=BEFORE)
    assert chosen(Routes.of([over, second]), "x@0") == "b"
    assert chosen(Routes.of([over]), "x@0") == "a", "tasks wait for it; its types are not forgotten"


def test_pinned_types_tell_whether_they_are_answered_at_once() -> None:
    routes = Routes.of([Known("a", "a:1", pins={"job": False, "call": True})])
    job, call = routes.to(Category("job"), NOW), routes.to(Category("call"), NOW)
    assert job is not None
    assert call is not None
    assert (job.sync, call.sync) == (False, True)


def test_a_misspelt_type_gets_a_hint() -> None:
    assert "did you mean databricks@0?" in Routes.of([serving("a", "databricks@0")]).unserved(Category("databrick"))


def test_who_was_never_heard_of_is_named_as_a_possibility() -> None:
    routes = Routes.of([Known("mute", "host:7")])
    assert [known.name for known in routes.silent()] == ["mute"]
    assert "agent mute at host:7 has not answered yet" in routes.unserved(Category("x"))


names = st.sampled_from("abcd")
versions = st.integers(0, 2)


@given(
    st.dictionaries(names, st.sets(st.tuples(st.sampled_from(["x", "y"]), versions)), min_size=1),
    st.sets(names),
    st.permutations(["a", "b", "c", "d"]),
)
def test_routes_do_not_depend_on_order_or_on_who_answers(
    offers: dict[str, set[tuple[str, int]]], down: set[str], order: list[str]
) -> None:
    def made(silent: set[str]) -> Routes:
        return Routes.of(
            Known(
                name,
                f"{name}:1",
                Offer({Category(*one): False for one in offers[name]}),
                since=BEFORE if name in silent else None,
            )
            for name in order
            if name in offers
        )

    for kind in ("x", "y"):
        for version in range(3):
            wanted = f"{kind}@{version}"
            able = sorted(name for name, types in offers.items() if (kind, version) in types)
            assert chosen(made(down), wanted) == chosen(made(set()), wanted) == (able[0] if able else None)


@pytest.mark.parametrize("text", ["spark", "spark@x", ""])
def test_what_is_no_category_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Category.read(text)


def test_a_task_that_can_run_nowhere_else_waits_for_agents_that_were_never_heard_of() -> None:
    routes = Routes.of([Known("mute", "host:7", problem="refused")])
    with pytest.raises(RemoteError, match="agent mute at host:7 was not heard of yet: refused"):
        routes.unsure(Category("x"), TaskTemplate(type="x"))
    elsewhere = TaskTemplate(type="python-task")
    elsewhere.container.args.append("x")
    assert "no agent serves" in routes.unsure(Category("python-task"), elsewhere)
