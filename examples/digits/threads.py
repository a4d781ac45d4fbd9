"""`@task(task_config=Threads(2))`: a task that may use two threads and not one more. A task plugin, whole.

It dresses a function that runs in the user's own container: the libraries underneath obey the limit, and the function
reads it as `current_context().threads`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from joblib import parallel_config
from threadpoolctl import threadpool_limits

from alula import TaskPlugin
from alula.sdk import taskplugin


@dataclass(frozen=True)
class Threads:
    """How many threads a task may use."""

    limit: int


class ThreadsPlugin(TaskPlugin[Threads]):
    """joblib runs its jobs in so many threads; BLAS and OpenMP, which would start some in each, keep to one."""

    task_type = "python-task"  # any place that runs Python will do
    config_type = Threads

    def custom(self, config: Threads) -> Mapping[str, object]:
        return {"threads": config.limit}

    def around(self, config: Threads) -> AbstractContextManager[Mapping[str, object]]:
        return _limited(config.limit)


@contextmanager
def _limited(threads: int) -> Iterator[Mapping[str, object]]:
    with threadpool_limits(1), parallel_config("threading", n_jobs=threads):
        yield {"threads": threads}


taskplugin.register(ThreadsPlugin())
