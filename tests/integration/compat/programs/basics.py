"""Tasks and workflows, defaults, keyword calls, docstrings, and what a task knows of itself."""

from typing import List, Optional

from flytekit import kwtypes, task, workflow


@task
def slope(x: List[int], y: List[int]) -> float:
    sum_xy = sum(a * b for a, b in zip(x, y, strict=True))
    n = len(x)
    return (n * sum_xy - sum(x) * sum(y)) / (n * sum(a * a for a in x) - sum(x) ** 2)


@task
def intercept(x: List[int], y: List[int], slope: float) -> float:
    """Where the line cuts the axis.

    Args:
        x: Where it was measured.
    """
    return (sum(y) - slope * sum(x)) / len(x)


@workflow
def simple_wf(x: List[int] = [-3, 0, 3], y: List[int] = [7, 4, -2]) -> float:  # noqa: B006
    slope_value = slope(x=x, y=y)
    return intercept(x=x, y=y, slope=slope_value)


@task
def greet(name: str, times: int = 2, title: Optional[str] = None) -> str:
    return ", ".join([f"hello {title + ' ' if title else ''}{name}"] * times)


@workflow
def greet_wf(name: str = "you") -> str:
    return greet(name=name, title="Dr.")


@task
def nothing(a: int) -> None:
    print("nothing is done with", a)


@workflow
def void_wf(a: int) -> None:
    nothing(a=a)


if __name__ == "__main__":
    print(simple_wf())
    print(simple_wf(x=[1, 2, 3], y=[2, 4, 7]))
    print(greet(name="Ada"), "|", greet("Bob", times=1), "|", greet_wf())
    print(void_wf(a=3))
    print(slope.name, simple_wf.name, slope.task_type, simple_wf.short_name)
    print(intercept.python_interface.inputs, intercept.python_interface.outputs)
    print(simple_wf.python_interface.inputs_with_defaults)
    print(dict(kwtypes(a=int, b=str)))
    print(slope.task_function.__name__, slope.metadata.retries, slope.metadata.cache)
    print([n.id for n in simple_wf.nodes], [n.flyte_entity.name for n in simple_wf.nodes])
    print([b.var for b in simple_wf.output_bindings])
