"""Who runs next: within the room there is, fair between executions, nobody left behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alula.backends.pool.admission import PATIENCE, Admission
from alula.backends.pool.needs import Need

ONE = Need()
BIG = Need(cpus=4)


def admission(cpus: float = 2, memory_bytes: int = 1000) -> Admission[str]:
    return Admission[str](cpus, memory_bytes)


def taken(queue: Admission[str]) -> list[str]:
    found = []
    while (item := queue.take()) is not None:
        found.append(item)
    return found


def test_no_more_run_than_there_is_room_for() -> None:
    queue = admission()
    for name in "abc":
        queue.put(name, ONE, "e")
    assert taken(queue) == ["a", "b"]
    queue.free("a")
    assert taken(queue) == ["c"]
    assert (queue.running, len(queue)) == (2, 0)


def test_ten_tenths_of_a_core_fit_on_one() -> None:
    queue = admission(cpus=1)
    for n in range(11):
        queue.put(str(n), Need(cpus=0.1), "e")
    assert len(taken(queue)) == 10


def test_memory_is_room_too() -> None:
    queue = admission(memory_bytes=100)
    queue.put("a", Need(0.1, 60), "e")
    queue.put("b", Need(0.1, 60), "e")
    assert taken(queue) == ["a"]
    assert queue.reason("b") == "for 60 B of 100 B memory: taken by a"


def test_executions_take_turns_and_within_one_the_first_comes_first() -> None:
    queue = admission(cpus=1)
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        queue.put(name, ONE, name[0])
    order = []
    for _ in range(6):
        [item] = taken(queue)
        order.append(item)
        queue.free(item)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_small_job_passes_a_big_one_that_does_not_fit_but_not_for_ever() -> None:
    queue = admission(cpus=4)
    queue.put("running", ONE, "e")
    assert taken(queue) == ["running"]
    queue.put("big", BIG, "e")
    passed = 0
    for n in range(2 * PATIENCE):
        queue.put(str(n), ONE, "e")
    while items := taken(queue):
        passed += len(items)
        for item in items:
            queue.free(item)
    assert passed == PATIENCE
    assert queue.reason(str(PATIENCE)) == "for its turn: big has waited longest, and needs 4 cpus"
    queue.free("running")
    assert taken(queue) == ["big"]
    queue.free("big")
    assert len(taken(queue)) == 4


def test_when_the_one_that_all_wait_for_is_cancelled_the_others_go_on() -> None:
    queue = admission(cpus=4)
    queue.put("running", ONE, "e")
    taken(queue)
    queue.put("big", BIG, "e")
    for n in range(PATIENCE + 1):
        queue.put(str(n), ONE, "f")
    while items := taken(queue):
        for item in items:
            queue.free(item)
    assert len(queue) == 2
    assert queue.cancel("big")
    assert len(taken(queue)) == 1


def test_a_job_is_admitted_only_if_it_fits_and_nobody_waits() -> None:
    queue = admission(cpus=4)
    assert queue.admit("a", ONE)
    assert not queue.admit("big", BIG)
    queue.put("big", BIG, "e")
    assert not queue.admit("b", ONE)
    assert taken(queue) == []
    queue.free("a")
    assert taken(queue) == ["big"]
    queue.free("big")
    assert queue.admit("b", ONE)
    assert queue.running == 1


def test_a_cancelled_job_waits_no_more() -> None:
    queue = admission(cpus=1)
    for name in "abc":
        queue.put(name, ONE, "e")
    assert taken(queue) == ["a"]
    assert queue.cancel("b")
    assert not queue.cancel("b")
    assert not queue.cancel("a")
    queue.free("a")
    assert taken(queue) == ["c"]


def test_the_impossible_is_said_with_numbers_and_a_way_out() -> None:
    queue = admission(cpus=2, memory_bytes=1 << 20)
    assert queue.impossible(ONE) == ""
    assert "asks for 3 cpus, and the workers here have 2: ask for less" in queue.impossible(Need(cpus=3))
    assert "2 MiB of memory, and the workers here have 1 MiB" in queue.impossible(Need(1, 2 << 20))


def test_reasons_name_three_holders_at_most() -> None:
    queue = admission(cpus=5)
    for name in "abcdef":
        queue.put(name, ONE, "e")
    taken(queue)
    assert queue.reason("f") == "for 1 of 5 cpus: taken by a, b, c and 2 more"
    assert queue.reason("a") == ""


def test_however_little_each_asks_for_processes_are_bounded() -> None:
    queue = admission(cpus=1)
    for n in range(100):
        queue.put(str(n), Need(cpus=0.0001), "e")
    assert len(taken(queue)) == 32


JOBS = st.tuples(st.sampled_from("abc"), st.sampled_from([0.5, 1, 2, 3]), st.sampled_from([0, 10, 60]))


@given(st.lists(st.one_of(JOBS, st.integers(0, 50), st.just("free")), max_size=120))
def test_room_is_never_exceeded_nothing_is_lost_and_all_run_in_the_end(steps: list[object]) -> None:
    queue = admission(cpus=3, memory_bytes=100)
    needs: dict[str, Need] = {}
    waiting, running, begun = list[str](), list[str](), list[str]()

    def take() -> None:
        for item in taken(queue):
            waiting.remove(item)
            running.append(item)
            begun.append(item)
            assert sum(needs[one].cpus for one in running) <= 3
            assert sum(needs[one].memory_bytes for one in running) <= 100

    for number, step in enumerate(steps):
        match step:
            case (str(execution), cpus, memory):
                needs[str(number)] = Need(float(cpus), int(memory))
                queue.put(str(number), needs[str(number)], execution)
                waiting.append(str(number))
            case int(nth) if waiting:
                assert queue.cancel(waiting.pop(nth % len(waiting)))
            case "free" if running:
                queue.free(running.pop(0))
        take()
    while running:
        queue.free(running.pop(0))
        take()
    assert not waiting
    assert len(queue) == 0
    assert len(begun) == len(set(begun))
