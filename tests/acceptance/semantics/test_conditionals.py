"""Of a conditional exactly one branch runs, the first whose condition holds; nothing of the others is touched."""

import dataclasses
import enum
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from alula import conditional, dynamic, task, workflow
from alula.errors import AlulaError, BranchFailed, PromiseError

RAN: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


def ran() -> dict[str, int]:
    found = dict(RAN)
    RAN.clear()
    return found


@task
def a(x: int) -> int:
    RAN["a"] += 1
    return x + 1


@task
def b(x: int) -> int:
    RAN["b"] += 1
    return x + 10


@task
def c(x: int) -> int:
    RAN["c"] += 1
    return x + 100


@task
def flag(x: int) -> bool:
    RAN["flag"] += 1
    return x > 0


@task
def boom(x: int) -> int:
    RAN["boom"] += 1
    raise RuntimeError("the branch that must not run")


# order


@workflow
def order(x: int) -> int:
    return (
        conditional("order")
        .if_(x > 100)
        .then(boom(x=x))
        .elif_(x > 10)
        .then(a(x=x))
        .elif_(x > 5)
        .then(b(x=x))
        .elif_(x > 7)
        .then(boom(x=x))
        .else_()
        .then(c(x=x))
    )


@pytest.mark.parametrize(("x", "result", "who"), [(11, 12, "a"), (8, 18, "b"), (1, 101, "c")])
def test_the_first_branch_whose_condition_holds_runs_alone(x: int, result: int, who: str) -> None:
    assert order(x=x) == result
    assert ran() == {who: 1}


# nested: flyteorg/flyte issue 6185 and 6340


@workflow
def nested(x: int, y: int) -> int:
    return (
        conditional("outer")
        .if_(x == 1)
        .then(
            conditional("inner one")
            .if_(y == 1)
            .then(a(x=x))
            .elif_(y == 2)
            .then(conditional("innermost").if_(x != y).then(b(x=y)).else_().then(boom(x=x)))
            .else_()
            .fail("y is neither")
        )
        .elif_(x == 2)
        .then(conditional("inner two").if_(y == 1).then(c(x=y)).else_().then(boom(x=x)))
        .else_()
        .then(a(x=y))
    )


@pytest.mark.parametrize(
    ("x", "y", "result", "expected"),
    [(1, 1, 2, {"a": 1}), (1, 2, 12, {"b": 1}), (2, 1, 101, {"c": 1}), (3, 4, 5, {"a": 1})],
)
def test_nothing_inside_a_branch_that_is_not_taken_runs(x: int, y: int, result: int, expected: dict[str, int]) -> None:
    assert nested(x=x, y=y) == result
    assert ran() == expected


def test_a_nested_fail_fails_with_its_own_message() -> None:
    with pytest.raises(BranchFailed, match=r"inner one.*y is neither"):
        nested(x=1, y=9)
    assert ran() == {}


@workflow
def bool_input(go: bool, x: int) -> int:
    return conditional("bool").if_(go.is_true()).then(a(x=x)).else_().then(b(x=x))


@workflow
def two_flags(x: int, y: int) -> int:
    one, two = flag(x=x), flag(x=y)
    return (
        conditional("flags")
        .if_(one.is_true() & two.is_true())
        .then(a(x=x))
        .elif_(one.is_true())
        .then(conditional("second").if_(two.is_false()).then(b(x=x)).else_().then(boom(x=x)))
        .else_()
        .then(c(x=x))
    )


def test_bools_choose() -> None:
    assert (bool_input(go=True, x=1), bool_input(go=False, x=1)) == (2, 11)
    assert ran() == {"a": 1, "b": 1}


@pytest.mark.parametrize(("x", "y", "who"), [(1, 1, "a"), (1, 0, "b"), (0, 1, "c"), (0, 0, "c")])
def test_bools_of_tasks_choose_also_in_nested_conditionals(x: int, y: int, who: str) -> None:
    two_flags(x=x, y=y)
    assert ran() == {"flag": 2, who: 1}


@workflow
def wf_a(x: int) -> int:
    return a(x=a(x=x))


@workflow
def wf_b(x: int) -> int:
    return conditional("in b").if_(x > 5).then(b(x=x)).else_().then(wf_a(x=x))


@workflow
def of_workflows(x: int) -> int:
    return conditional("of workflows").if_(x == 0).then(wf_a(x=x)).else_().then(wf_b(x=x))


@pytest.mark.parametrize(("x", "expected"), [(0, {"a": 2}), (1, {"a": 2}), (9, {"b": 1})])
def test_sub_workflows_in_branches_run_only_when_taken(x: int, expected: dict[str, int]) -> None:
    of_workflows(x=x)
    assert ran() == expected


@dynamic
def dyn(x: int) -> int:
    if x > 100:
        return a(x=x)
    made = a(x=x)
    return conditional("in dynamic").if_(made > 5).then(b(x=made)).else_().then(c(x=made))


@workflow
def around_dyn(x: int) -> int:
    return conditional("around").if_(x > 0).then(dyn(x=x)).else_().then(boom(x=x))


@pytest.mark.parametrize(("x", "expected"), [(1, {"a": 1, "c": 1}), (9, {"a": 1, "b": 1}), (101, {"a": 1})])
def test_a_conditional_works_inside_a_dynamic_inside_a_conditional(x: int, expected: dict[str, int]) -> None:
    around_dyn(x=x)
    assert ran() == expected


# what is compared


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Config:
    n: int
    ratio: float
    color: Color
    name: str | None = None
    inner: dict[str, int] = dataclasses.field(default_factory=dict)


@task
def config(n: int) -> Config:
    return Config(n, n / 2, Color.RED if n else Color.BLUE, "x" if n else None, {"k": n})


@workflow
def enums(color: Color) -> int:
    return conditional("enums").if_(color == Color.RED).then(a(x=0)).else_().then(b(x=0))


@workflow
def paths(n: int) -> int:
    made = config(n=n)
    return (
        conditional("paths")
        .if_((made.color == Color.BLUE) & made.name.is_none())
        .then(a(x=made.n))
        .elif_((made.ratio > 1.5) | (made.inner["k"] == 1))
        .then(b(x=made.n))
        .else_()
        .then(c(x=made.inner["k"]))
    )


def test_an_enum_is_compared_with_its_members() -> None:
    assert (enums(color=Color.RED), enums(color=Color.BLUE)) == (1, 10)


@pytest.mark.parametrize(("n", "result"), [(0, 1), (1, 11), (4, 14), (2, 102)])
def test_fields_and_items_of_an_output_are_compared(n: int, result: int) -> None:
    assert paths(n=n) == result


NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


@workflow
def times(when: datetime, length: timedelta) -> int:
    return (
        conditional("times")
        .if_(when > NOON)
        .then(a(x=0))
        .elif_(length >= timedelta(hours=1))
        .then(b(x=0))
        .else_()
        .then(c(x=0))
    )


def test_times_are_compared() -> None:
    hour = timedelta(hours=1)
    assert times(when=NOON + hour, length=hour) == 1
    assert times(when=NOON, length=hour) == 10
    assert times(when=NOON, length=hour / 2) == 100


def test_a_naive_time_counts_as_utc() -> None:
    @workflow
    def wf(when: datetime) -> int:
        return conditional("naive").if_(when > datetime(2020, 1, 1, 12)).then(a(x=0)).else_().then(b(x=0))  # noqa: DTZ001

    assert wf(when=NOON + timedelta(hours=1)) == 1
    assert wf(when=datetime(2020, 1, 1, 11)) == 10  # noqa: DTZ001


@workflow
def optionals(x: int | None, y: int) -> int:
    return conditional("optionals").if_(x.is_none()).then(a(x=y)).elif_(x == y).then(b(x=y)).else_().then(c(x=y))


def test_none_is_compared() -> None:
    assert (optionals(x=None, y=1), optionals(x=1, y=1), optionals(x=2, y=1)) == (2, 11, 101)


@workflow
def two_promises(x: int, y: float) -> int:
    return conditional("two").if_(x < y).then(a(x=x)).else_().then(b(x=x))


def test_two_promises_are_compared() -> None:
    assert (two_promises(x=1, y=1.5), two_promises(x=2, y=1.5)) == (2, 12)


@workflow
def constant_on_the_left(x: int) -> int:
    return conditional("left").if_(3 < x).then(a(x=x)).else_().then(b(x=x))  # noqa: SIM300


def test_a_constant_may_stand_on_the_left() -> None:
    assert (constant_on_the_left(x=4), constant_on_the_left(x=3)) == (5, 13)


def test_a_none_that_is_ordered_is_an_error_that_says_where() -> None:
    @workflow
    def wf(x: int | None) -> int:
        return conditional("ordered").if_(x > 3).then(a(x=0)).else_().then(b(x=0))

    assert wf(x=4) == 1
    with pytest.raises(AlulaError, match=r'(?s)None > 3.*conditional\("ordered"\)'):
        wf(x=None)


def test_what_has_no_order_or_no_primitive_form_is_refused_when_compiling() -> None:
    @task
    def many() -> list[int]:
        return [1]

    @workflow
    def wf() -> int:
        return conditional("lists").if_(many() == 1).then(a(x=0)).else_().then(b(x=0))

    with pytest.raises(PromiseError, match=r"(?s)lists.*list\[int\]"):
        wf()


# outputs


class Pair(NamedTuple):
    total: int
    label: str


@task
def pair(x: int) -> Pair:
    RAN["pair"] += 1
    return Pair(x, "one")


@task
def other_pair(x: int) -> Pair:
    RAN["other_pair"] += 1
    return Pair(-x, "other")


@workflow
def several(x: int) -> tuple[str, int]:
    got = conditional("several").if_(x > 0).then(pair(x=x)).else_().then(other_pair(x=x))
    return got.label, a(x=got.total)


@workflow
def unpacked(x: int) -> Pair:
    total, label = conditional("unpacked").if_(x > 0).then(pair(x=x)).else_().then(other_pair(x=x))
    return Pair(total, label)


def test_several_outputs_come_by_name_and_by_position() -> None:
    assert (several(x=1), several(x=-1)) == (("one", 2), ("other", 2))
    assert (unpacked(x=1), unpacked(x=-1)) == (Pair(1, "one"), Pair(1, "other"))


@task
def quietly(x: int) -> None:
    RAN["quietly"] += 1


@task
def loudly(x: int) -> None:
    RAN["loudly"] += 1


@workflow
def void(x: int) -> int:
    done = conditional("void").if_(x > 0).then(quietly(x=x)).else_().then(loudly(x=x))
    last = a(x=x)
    done >> last
    return last


def test_branches_without_outputs_run_and_can_be_ordered() -> None:
    assert void(x=1) == 2
    assert ran() == {"quietly": 1, "a": 1}


@workflow
def no_use(x: int) -> int:
    conditional("no use").if_(x > 0).then(a(x=x)).else_().fail("never")
    return b(x=x)


def test_a_conditional_whose_result_nobody_uses_still_runs_and_fails() -> None:
    assert no_use(x=1) == 11
    assert ran() == {"a": 1, "b": 1}
    with pytest.raises(ValueError, match="never"):
        no_use(x=0)


@task
def gives_float(x: int) -> float:
    return x / 2


@task
def gives_text(x: int) -> str:
    return str(x)


def test_branches_whose_outputs_differ_in_type_are_refused_when_compiling() -> None:
    @workflow
    def wf(x: int) -> int:
        return conditional("mixed").if_(x > 0).then(a(x=x)).else_().then(gives_text(x=x))

    with pytest.raises(AlulaError, match=r"(?s)mixed.*(int.*str|str.*int)"):
        wf(x=1)
