"""A task runs again exactly when what it is, or what it is given, has changed."""

import asyncio
import dataclasses
import multiprocessing
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import pandas as pd
import pytest

from alula import Cache, Directory, File, HashMethod, dynamic, map_task, task, workflow
from alula.errors import CallError

RAN: list[object] = []


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    for name in ("ENABLED", "OVERWRITE"):
        for prefix in ("ALULA", "FLYTE"):
            monkeypatch.delenv(f"{prefix}_LOCAL_CACHE_{name}", raising=False)
    RAN.clear()
    return tmp_path


def ran() -> int:
    found = len(RAN)
    RAN.clear()
    return found


@task(cache=Cache(version="1"))
def square(x: int) -> int:
    RAN.append(x)
    return x * x


@task
def inc(x: int) -> int:
    return x + 1


@workflow
def wf(x: int) -> int:
    return inc(x=square(x=inc(x=x)))


def test_the_same_call_runs_once() -> None:
    assert [square(x=2), square(x=2), wf(x=1)] == [4, 4, 5]
    assert ran() == 1
    assert square(x=3) == 9
    assert ran() == 1


def declare(version: str = "1", **settings: object) -> object:
    @task(cache=Cache(version=version), **settings)
    def t(x: int) -> int:
        RAN.append(x)
        return x

    return t


def test_another_version_is_another_result() -> None:
    declare("1")(x=1), declare("2")(x=1), declare("1")(x=1)
    assert ran() == 2


def test_settings_that_do_not_change_the_result_do_not_matter() -> None:
    declare()(x=1), declare(retries=3)(x=1), declare(timeout=5)(x=1)
    assert ran() == 1


def test_other_types_are_another_result() -> None:
    def versions() -> list[object]:
        made = []

        @task(cache=Cache(version="1"))
        def t(x: int) -> int:
            RAN.append(x)
            return x

        made.append(t)

        @task(cache=Cache(version="1"))
        def t(x: int, y: int = 1) -> int:
            RAN.append(x)
            return x

        made.append(t)

        @task(cache=Cache(version="1"))
        def t(x: int) -> float:
            RAN.append(x)
            return float(x)

        made.append(t)

        @task(cache=Cache(version="1"))
        def t(x: int | None) -> int:
            RAN.append(x)
            return x or 0

        made.append(t)
        return made

    results = [t(x=1) for t in versions()]
    assert results == [1, 1, 1.0, 1]
    assert [type(each) for each in results] == [int, int, float, int]
    assert ran() == 4
    assert [t(x=1) for t in versions()] == results
    assert ran() == 0


def test_a_changed_dataclass_is_another_type() -> None:
    def declare(extra: bool) -> object:
        fields = [("a", int)] + ([("b", int, 0)] if extra else [])
        point = dataclasses.make_dataclass("Point", fields)

        def t(p):
            RAN.append(p)
            return p.a

        t.__annotations__ = {"p": point, "return": int}
        return task(cache=Cache(version="1"))(t), point

    for extra in (False, True, False):
        t, point = declare(extra)
        assert t(p=point(1)) == 1
    assert ran() == 2


@task(cache=Cache(version="1", ignored_inputs=("noise",)))
def ignores(x: int, noise: str = "") -> str:
    RAN.append(noise)
    return f"{x} {noise}"


def test_ignored_inputs_do_not_count() -> None:
    assert [ignores(x=1, noise="a"), ignores(x=1, noise="b"), ignores(x=2, noise="b")] == ["1 a", "1 a", "2 b"]
    assert ran() == 2


def test_an_ignored_input_that_there_is_not_is_refused() -> None:
    with pytest.raises(CallError, match="nose"):

        @task(cache=Cache(version="1", ignored_inputs=("nose",)))
        def t(noise: int) -> int:
            return noise


Rounded = Annotated[float, HashMethod(lambda v: str(round(v)))]
Frame = Annotated[pd.DataFrame, HashMethod(lambda df: str(len(df)))]


@task
def frame(n: int, fill: int) -> Frame:
    return pd.DataFrame({"a": [fill] * n})


@task(cache=Cache(version="1"))
def length(df: pd.DataFrame) -> int:
    RAN.append("length")
    return len(df) * 100 + int(df["a"].iloc[0])


@workflow
def frames(n: int, fill: int) -> int:
    return length(df=frame(n=n, fill=fill))


def test_a_hash_method_decides_whether_a_frame_is_the_same() -> None:
    assert [frames(n=2, fill=1), frames(n=2, fill=5), frames(n=3, fill=1)] == [201, 201, 301]
    assert ran() == 2


@task
def rounded(x: float) -> Rounded:
    return x


@task
def rounded_list(x: float) -> list[Rounded]:
    return [x, x + 1]


@task(cache=Cache(version="1"))
def half(x: float) -> float:
    RAN.append(x)
    return x / 2


@task(cache=Cache(version="1"))
def total(xs: list[float]) -> float:
    RAN.append(xs)
    return sum(xs)


@workflow
def hashed(x: float) -> tuple[float, float]:
    return half(x=rounded(x=x)), total(xs=rounded_list(x=x))


def test_a_hash_method_counts_between_tasks_also_inside_lists_and_for_plain_values() -> None:
    assert hashed(x=1.0) == (0.5, 3.0)
    assert hashed(x=1.1) == (0.5, 3.0)
    assert ran() == 2
    assert hashed(x=2.0) == (1.0, 5.0)
    assert ran() == 2


@task(cache=Cache(version="1"))
def size(f: File) -> int:
    RAN.append("size")
    return len(Path(f).read_text())


@task(cache=Cache(version="1"))
def count(d: Directory) -> int:
    RAN.append("count")
    return len(list(Path(d).iterdir()))


def test_of_files_the_content_counts(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("abc")
    other.write_text("abc")
    assert [size(f=str(one)), size(f=File(str(other)))] == [3, 3]
    assert ran() == 1
    one.write_text("abcd")
    assert size(f=str(one)) == 4
    assert ran() == 1


def test_of_directories_names_and_content_count(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a").write_text("1")
    assert [count(d=str(folder)), count(d=str(folder))] == [1, 1]
    assert ran() == 1
    (folder / "b").write_text("1")
    assert count(d=str(folder)) == 2
    assert ran() == 1


@task(cache=Cache(version="1"))
def writes(x: int) -> File:
    RAN.append(x)
    path = Path(f"out-{x}.txt").absolute()
    path.write_text(str(x))
    return File(str(path))


def test_a_cached_file_that_is_gone_or_changed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(writes(x=1)).read_text() == "1"
    assert Path(writes(x=1)).read_text() == "1"
    assert ran() == 1
    for path in tmp_path.rglob("*out-1.txt"):
        path.unlink()
    assert Path(writes(x=1)).read_text() == "1"
    assert ran() == 1


@task(cache=Cache(version="1"))
def of_dict(d: dict[str, dict[str, int]], bag: dict) -> int:
    RAN.append(d)
    return len(d)


def test_the_order_of_keys_does_not_count() -> None:
    of_dict(d={"a": {"x": 1, "y": 2}, "b": {}}, bag={"k": {"m": 1, "n": 2}, 1: 2})
    of_dict(d={"b": {}, "a": {"y": 2, "x": 1}}, bag={1: 2, "k": {"n": 2, "m": 1}})
    assert ran() == 1


@task(cache=Cache(version="1"))
def kinds(x: int | float | bool | str) -> str:
    RAN.append(x)
    return type(x).__name__


def test_values_that_compare_equal_in_python_are_different_inputs() -> None:
    assert [kinds(x=x) for x in (1, 1.0, True, "1")] == ["int", "float", "bool", "str"]
    assert ran() == 4


class Two(NamedTuple):
    when: datetime
    length: timedelta | None


@task(cache=Cache(version="1"))
def named(x: int) -> Two:
    RAN.append(x)
    return Two(datetime(2020, 1, 1, tzinfo=UTC), None if x else timedelta(1))


def test_what_comes_out_of_the_cache_is_what_went_in() -> None:
    for x in (0, 1):
        assert named(x=x) == named(x=x)
        assert isinstance(named(x=x), Two)
    assert ran() == 2


@task(cache=Cache(version="1"))
def gives_none(x: int) -> int | None:
    RAN.append(x)


def test_a_none_is_a_result_like_any_other() -> None:
    assert [gives_none(x=1), gives_none(x=1)] == [None, None]
    assert ran() == 1


@task(cache=Cache(version="1"))
def void(x: int) -> None:
    RAN.append(x)


def test_a_task_without_outputs_runs_each_time_since_only_its_effects_count() -> None:
    void(x=1), void(x=1)
    assert ran() == 2


@task(cache=Cache(version="1"))
def fails_once(x: int) -> int:
    RAN.append(x)
    if len(RAN) == 1:
        raise ValueError("first")
    return x


def test_a_failure_is_not_kept() -> None:
    with pytest.raises(ValueError, match="first"):
        fails_once(x=1)
    assert fails_once(x=1) == 1
    assert fails_once(x=1) == 1
    assert ran() == 2


@dynamic(cache=Cache(version="1"))
def dyn(n: int) -> list[int]:
    RAN.append("body")
    return [square(x=i) for i in range(n)]


@task(cache=Cache(version="1"))
async def awaited(x: int) -> int:
    RAN.append(x)
    return x


def test_dynamics_async_tasks_and_items_of_maps_are_cached() -> None:
    assert [dyn(n=2), dyn(n=2)] == [[0, 1], [0, 1]]
    assert ran() == 3
    assert [asyncio.run(awaited(x=1)), asyncio.run(awaited(x=1))] == [1, 1]
    assert ran() == 1
    assert map_task(square)(x=[0, 1, 2]) == [0, 1, 4]
    assert ran() == 1


# switches


def test_switches_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    square(x=1)
    monkeypatch.setenv("ALULA_LOCAL_CACHE_ENABLED", "false")
    square(x=1), square(x=1)
    assert ran() == 3
    monkeypatch.setenv("ALULA_LOCAL_CACHE_ENABLED", "true")
    monkeypatch.setenv("ALULA_LOCAL_CACHE_OVERWRITE", "1")
    square(x=1), square(x=1)
    assert ran() == 2
    monkeypatch.delenv("ALULA_LOCAL_CACHE_OVERWRITE")
    square(x=1)
    assert ran() == 0


def test_a_node_may_ask_for_the_cache_or_refuse_it() -> None:
    @task
    def plain(x: int) -> int:
        RAN.append("plain")
        return x

    @workflow
    def asks(x: int) -> int:
        return plain(x=x).with_overrides(cache=Cache(version="9"))

    @workflow
    def refuses(x: int) -> int:
        return square(x=x).with_overrides(cache=False)

    @workflow
    def other_version(x: int) -> int:
        return square(x=x).with_overrides(cache=Cache(version="other"))

    for each, times in ((asks, 1), (refuses, 3), (other_version, 1)):
        assert [each(x=2), each(x=2), each(x=2)][0] in (2, 4)
        assert (each.name, ran()) == (each.name, times)


# at the same time, and in other processes


@task(cache=Cache(version="1", serialize=True))
def slow(x: int) -> int:
    RAN.append(x)
    time.sleep(0.1)
    return x


def test_of_several_threads_one_runs_and_the_others_wait() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(slow(x=1))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 6
    assert ran() == 1


@task(cache=Cache(version="1", serialize=True))
def slow_and_broken(x: int) -> int:
    RAN.append(x)
    time.sleep(0.02)
    raise ValueError("broken")


def test_those_who_wait_for_a_failure_try_themselves() -> None:
    found: list[str] = []

    def call() -> None:
        with pytest.raises(ValueError, match="broken"):
            slow_and_broken(x=1)
        found.append("failed")

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == ran() == 3


PROGRAM = """
import sys
from alula import Cache, task

@task(cache=Cache(version="1", serialize=True))
def t(x: int, tags: dict[str, int]) -> list[str]:
    print("ran")
    return ["a", str(x)]

assert t(x=3, tags={"a": 1, "b": 2}) == ["a", "3"]
"""


def test_other_processes_find_the_results(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    said = [subprocess.run([sys.executable, program], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [each.stdout for each in said] == ["ran\n", ""]


def test_a_forked_process_finds_the_results() -> None:
    assert square(x=7) == 49
    ran()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(forked) == (49, 0)


def forked() -> tuple[int, int]:
    return square(x=7), len(RAN)
