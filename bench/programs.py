"""What is timed, run by one interpreter: `python programs.py SDK CASE REPEATS SIZE`; prints seconds per unit of work.

The same program for both SDKs, whose names agree; it imports nothing of this project.
"""

import dataclasses
import importlib
import sys
import time

SDK, CASE, REPEATS, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sdk = importlib.import_module(SDK)


@sdk.task
def add_one(a: int) -> int:
    return a + 1


@sdk.workflow
def chain(a: int) -> int:
    for _ in range(200):
        a = add_one(a=a)
    return a


@sdk.task
def same_list(values: list[int]) -> list[int]:
    return values


@dataclasses.dataclass
class Wide:
    a0: int
    a1: int
    a2: int
    a3: int
    a4: int
    b0: float
    b1: float
    b2: float
    b3: float
    b4: float
    c0: str
    c1: str
    c2: str
    c3: str
    c4: str
    d0: bool
    d1: bool
    e0: list[int]
    e1: dict[str, int]
    e2: list[str]


@sdk.task
def same_wide(w: Wide) -> Wide:
    return w


def wide(seed):
    text = [f"text {seed} {i}" for i in range(5)]
    return Wide(
        *range(seed, seed + 5), *(seed + i / 7 for i in range(5)), *text, True, False, [seed], {"k": seed}, text
    )


def numbers(seed):
    return list(range(seed * SIZE, (seed + 1) * SIZE))


def timed(call, make, units=1):
    """The median over repeats; every call gets a value that was never seen before, the first one only warms up."""
    taken = []
    for seed in range(REPEATS + 1):
        value = make(seed)
        start = time.perf_counter()
        call(value)
        taken.append((time.perf_counter() - start) / units)
    return sorted(taken[1:])[REPEATS // 2]


def many(call, make, count):
    """Like `timed`, for calls too short to be timed alone."""
    return timed(
        lambda values: [call(value) for value in values],
        lambda seed: [make(seed * count + i) for i in range(count)],
        count,
    )


def round_trip():
    if SDK == "alula":
        from alula.sdk.local import current_run
        from alula.types import default

        converter, place = default.converter(list[int]), current_run().place
        return lambda values: converter.to_python(converter.to_literal(values, place), place)
    from flytekit.core.context_manager import FlyteContextManager
    from flytekit.core.type_engine import TypeEngine

    ctx = FlyteContextManager.current_context()
    declared = TypeEngine.to_literal_type(list[int])
    return lambda values: TypeEngine.to_python_value(
        ctx, TypeEngine.to_literal(ctx, values, list[int], declared), list[int]
    )


CASES = {
    "chain": lambda: timed(lambda a: chain(a=a), lambda seed: seed, 200),
    "list": lambda: timed(lambda values: same_list(values=values), numbers),
    "literal": lambda: timed(round_trip(), numbers),
    "dataclass": lambda: many(lambda w: same_wide(w=w), wide, 50),
}

if __name__ == "__main__":
    print(CASES[CASE]())
