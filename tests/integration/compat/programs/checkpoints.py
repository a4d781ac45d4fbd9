"""Checkpoints within a task, and errors that are worth another attempt."""

from flytekit import current_context, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException

RETRIES = 3


@task(retries=RETRIES)
def use_checkpoint(n_iterations: int) -> int:
    cp = current_context().checkpoint
    prev = cp.read()
    start = int(prev.decode()) if prev else 0
    index = 0
    for index in range(start, n_iterations):
        cp.write(f"{index + 1}".encode())
    return index


@task(retries=RETRIES)
def never(n: int) -> int:
    if n > 0:
        raise FlyteRecoverableException(f"Failed at iteration {n}")
    return n


@workflow
def wf(n_iterations: int) -> int:
    return use_checkpoint(n_iterations=n_iterations)


if __name__ == "__main__":
    print(wf(n_iterations=10))
    try:
        never(n=2)
    except FlyteRecoverableException as e:
        print("recoverable", "iteration 2" in str(e))
