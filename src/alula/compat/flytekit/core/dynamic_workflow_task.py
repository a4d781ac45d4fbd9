"""`@dynamic`: a task whose calls become nodes when it runs."""

from __future__ import annotations

import functools

from alula.compat.flytekit.core.python_function_task import PythonFunctionTask
from alula.compat.flytekit.core.task import task
from alula.compat.names import mirror

dynamic = functools.partial(task, execution_mode=PythonFunctionTask.ExecutionBehavior.DYNAMIC)

__getattr__, __dir__ = mirror(__name__, {})
