"""Decorated tasks and workflows, environments, partials, nested tasks in a module, default arguments."""

import functools
import logging
from functools import partial, wraps
from typing import Callable, Dict, Optional

from flytekit import Environment, FlyteContextManager, Resources, task, workflow
from flytekit.core.node_creation import create_node

logger = logging.getLogger(__name__)
log = []


def log_io(fn):
    @wraps(fn)
    def wrapper(*args, **kwargs):
        log.append(f"{fn.__name__} in {kwargs}")
        out = fn(*args, **kwargs)
        log.append(f"{fn.__name__} out {out}")
        return out

    return wrapper


def validate_output(fn=None, *, floor=0):
    if fn is None:
        return partial(validate_output, floor=floor)

    @wraps(fn)
    def wrapper(*args, **kwargs):
        out = fn(*args, **kwargs)
        if out <= floor:
            raise ValueError(f"output {out} must be above {floor}")
        return out

    return wrapper


@task
@log_io
def t1(x: int) -> int:
    return x + 1


@task
@log_io
@validate_output(floor=10)
def t2(x: int) -> int:
    return x + 10


@task
def setup():
    log.append("setup")


@task
def teardown():
    log.append("teardown")


def setup_teardown(fn=None, *, before, after):
    @wraps(fn)
    def wrapper(*args, **kwargs):
        ctx = FlyteContextManager.current_context()
        before_node = create_node(before)
        outputs = fn(*args, **kwargs)
        after_node = create_node(after)
        if ctx.compilation_state is not None:
            before_node >> ctx.compilation_state.nodes[1]
            ctx.compilation_state.nodes[-2] >> after_node
        return outputs

    return wrapper


@workflow
@functools.partial(setup_teardown, before=setup, after=teardown)
def wf(x: int) -> int:
    return t2(x=t1(x=x))


env = Environment(retries=2, environment={"A": "1"}, requests=Resources(cpu="1"))
more = env.extend(retries=3, environment={"B": "2"})


@env.task
def in_env(a: int) -> int:
    return a


@more.task(retries=5)
def in_more(a: int) -> int:
    return a


@env
def called(a: int) -> int:
    return a


@env.dynamic
def dyn(a: int) -> int:
    return in_env(a=a)


@task
def defaults(a: int = 3, b: Optional[str] = None, c: float = 1.5) -> str:
    return f"{a} {b} {c}"


@workflow
def default_wf(a: int = 7, b: Optional[str] = None) -> str:
    return defaults(a=a, b=b)


@workflow
def all_defaults() -> str:
    return defaults()


def make(fn: Callable, config: Dict[str, int]) -> Callable:
    return partial(fn, **config)


if __name__ == "__main__":
    print(wf(x=5), log)
    try:
        wf(x=-100)
    except ValueError as e:
        print("must be above 10" in str(e))
    print(in_env.metadata.retries, in_more.metadata.retries, in_env.environment, in_more.environment)
    print(in_env(a=1), called(a=2), dyn(a=3), more.task is not None)
    print(default_wf(), default_wf(a=1, b="x"), all_defaults(), make(defaults, {"a": 1})())
    print(t1.__name__, t1.name, wf.name, [[u.id for u in n.upstream_nodes] for n in wf.nodes])
