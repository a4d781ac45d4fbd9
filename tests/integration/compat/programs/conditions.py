"""Conditionals: chained, nested, with fail, inside sub-workflows, on booleans and none."""

import random
from typing import Optional

from flytekit import conditional, dynamic, task, workflow

calls = []


@task
def radius(diameter: float) -> float:
    return diameter / 2


@task
def circumference(radius: float) -> float:
    calls.append("circumference")
    return 2 * 3.14 * radius


@task
def area(radius: float) -> float:
    calls.append("area")
    return 3.14 * radius * radius


@task
def coin_toss(seed: int) -> bool:
    return random.Random(seed).random() > 0.5


@task
def success() -> str:
    return "success"


@task
def failed() -> str:
    return "failed"


@workflow
def shape(radius: float) -> float:
    return (
        conditional("shape_properties")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(circumference(radius=radius))
        .elif_((radius >= 1.0) & (radius <= 10.0))
        .then(area(radius=radius))
        .else_()
        .fail("out of range")
    )


@workflow
def nested(radius: float) -> float:
    return (
        conditional("outer")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(
            conditional("inner")
            .if_(radius < 0.5)
            .then(circumference(radius=radius))
            .elif_((radius >= 0.5) & (radius < 0.9))
            .then(area(radius=radius))
            .else_()
            .fail("inner range")
        )
        .elif_((radius >= 1.0) & (radius <= 10.0))
        .then(area(radius=radius))
        .else_()
        .fail("outer range")
    )


@workflow
def toss(seed: int = 5) -> str:
    result = coin_toss(seed=seed)
    return conditional("coin").if_(result.is_true()).then(success()).else_().then(failed())


@workflow
def toss_bool(flag: bool) -> str:
    result = flag
    return conditional("coin2").if_(result.is_false()).then(failed()).else_().then(success())


@workflow
def consume(r: float) -> float:
    chosen = (
        conditional("consume").if_((r > 0.5) | (r == 0.25)).then(area(radius=r)).else_().then(circumference(radius=r))
    )
    return radius(diameter=chosen)


@dynamic
def decide(flag: bool, r: float) -> float:
    if flag:
        return area(radius=r)
    return consume(r=r)


@task
def maybe(n: int) -> Optional[int]:
    return n if n > 0 else None


@task
def text(a: str) -> str:
    return a.upper()


@workflow
def on_none(n: int) -> str:
    m = maybe(n=n)
    return conditional("none").if_(m.is_none()).then(text(a="nothing")).else_().then(text(a="something"))


if __name__ == "__main__":
    print(shape(radius=0.5), shape(radius=3.0))
    try:
        shape(radius=100.0)
    except ValueError as e:
        print("ValueError", "out of range" in str(e))
    print(nested(radius=0.4), nested(radius=0.7), nested(radius=2.0))
    try:
        nested(radius=0.95)
    except ValueError as e:
        print("ValueError", "inner range" in str(e))
    print(toss(seed=5), toss(seed=4))
    print(toss_bool(flag=True), toss_bool(flag=False))
    calls.clear()
    print(consume(r=0.25), consume(r=0.1), consume(r=3.0), calls)
    print(decide(flag=True, r=1.0), decide(flag=False, r=1.0))
    print(on_none(n=1), on_none(n=-1))
    print([n.id for n in consume.nodes])
