"""Caching: by version, by hash, with ignored inputs, with policies; what counts as the same call."""

import time
from typing import Annotated, List

import pandas as pd

from flytekit import Cache, CachePolicy, HashMethod, VersionParameters, task, workflow
from flytekit.core.local_cache import LocalTaskCache

runs = []


@task(cache=True, cache_version="1")
def square(n: int) -> int:
    runs.append(("square", n))
    return n * n


@task(cache=Cache(version="2", ignored_inputs=("label",)))
def named(n: int, label: str) -> str:
    runs.append(("named", n, label))
    return f"{label}{n}"


def hash_frame(df: pd.DataFrame) -> str:
    return str(pd.util.hash_pandas_object(df).sum())


@task
def frame(n: int) -> Annotated[pd.DataFrame, HashMethod(hash_frame)]:
    return pd.DataFrame({"a": list(range(n))})


@task(cache=True, cache_version="1.0")
def total(df: pd.DataFrame) -> int:
    runs.append(("total", len(df)))
    return int(df["a"].sum())


class FixedPolicy(CachePolicy):
    def get_version(self, salt: str, params: VersionParameters) -> str:
        return f"{salt}-{params.func.__name__}"


@task(cache=Cache(policies=[FixedPolicy()], salt="s"))
def by_policy(a: int) -> int:
    runs.append(("by_policy", a))
    return a


@task(cache=True, cache_version="1")
def listed(values: List[int]) -> int:
    runs.append(("listed", len(values)))
    return sum(values)


@workflow
def wf(n: int) -> int:
    return square(n=square(n=n))


@workflow
def frames(n: int) -> int:
    return total(df=frame(n=n))


if __name__ == "__main__":
    LocalTaskCache.initialize()
    LocalTaskCache.clear()
    print(square(n=3), square(n=3), wf(n=3), runs)
    runs.clear()
    print(named(n=1, label="a"), named(n=1, label="b"), named(n=2, label="c"), runs)
    runs.clear()
    print(frames(n=3), frames(n=3), frames(n=4), runs)
    runs.clear()
    print(by_policy(a=1), by_policy(a=1), runs, by_policy.metadata.cache, len(by_policy.metadata.cache_version) > 3)
    runs.clear()
    print(listed(values=[1, 2]), listed(values=[1, 2]), listed(values=[2, 1]), runs)
    LocalTaskCache.clear()
    runs.clear()
    print(square(n=3), runs, square.metadata.cache_version)
    for wrong in (lambda: task(cache=True)(hash_frame), lambda: task(cache_serialize=True)(hash_frame)):
        try:
            wrong()
            print("no error")
        except ValueError:
            print("ValueError")
