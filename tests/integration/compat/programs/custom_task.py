"""Task plugins: a config with a function task, an instance task, a prebuilt container."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from flytekit import (
    FlyteContextManager,
    PythonFunctionTask,
    PythonInstanceTask,
    current_context,
    kwtypes,
    task,
    workflow,
)
from flytekit.configuration import SerializationSettings
from flytekit.core.context_manager import ExecutionParameters
from flytekit.extend import Interface, PythonTask, TaskPlugins
from flytekit.models import task as task_models

events = []


@dataclass
class Session:
    size: int = 1
    name: Optional[str] = None


class SessionTask(PythonFunctionTask[Session]):
    _TASK_TYPE = "session"

    def __init__(self, task_config: Session, task_function: Callable, **kwargs):
        super().__init__(task_config=task_config, task_function=task_function, task_type=self._TASK_TYPE, **kwargs)

    def pre_execute(self, user_params: ExecutionParameters) -> ExecutionParameters:
        events.append(("pre", self.task_config.size))
        return user_params.builder().add_attr("SESSION", {"size": self.task_config.size}).build()

    def execute(self, **kwargs) -> Any:
        events.append(("execute", sorted(kwargs)))
        return super().execute(**kwargs)

    def post_execute(self, user_params: ExecutionParameters, rval: Any) -> Any:
        events.append(("post", rval))
        return rval

    def get_custom(self, settings: SerializationSettings) -> Dict[str, Any]:
        return {"size": self.task_config.size, "name": self.task_config.name}

    def get_config(self, settings: SerializationSettings) -> Dict[str, str]:
        return {"kind": "session"}


TaskPlugins.register_pythontask_plugin(Session, SessionTask)


@task(task_config=Session(size=3), retries=1)
def with_session(a: int) -> int:
    events.append(("body", current_context().session["size"]))
    return a * current_context().SESSION["size"]


class Waiter(PythonInstanceTask[Session]):
    _VAR = "path"

    def __init__(self, name: str, poll: int = 3, **kwargs):
        super().__init__(
            name=name,
            task_config=Session(),
            task_type="waiter",
            interface=Interface(inputs=kwtypes(path=str), outputs=kwtypes(path=str)),
            **kwargs,
        )
        self._poll = poll

    def execute(self, **kwargs) -> Any:
        return f"{kwargs[self._VAR]} after {self._poll}"


wait = Waiter(name="waiter.one", poll=5)


class Adder(PythonTask):
    def __init__(self, name: str):
        super().__init__("adder", name, None, interface=Interface(inputs=kwtypes(a=int, b=int), outputs=kwtypes(c=int)))

    def execute(self, **kwargs) -> Any:
        return kwargs["a"] + kwargs["b"]


adder = Adder(name="adder.one")


@workflow
def wf(a: int) -> tuple[int, str]:
    first = with_session(a=a)
    return adder(a=first, b=1), wait(path="p")


if __name__ == "__main__":
    print(with_session(a=2), events)
    events.clear()
    print(wf(a=5), events)
    settings = SerializationSettings(project="p", domain="d", version="v", env={}, image_config=None)
    print(with_session.get_custom(settings), with_session.get_config(settings), with_session.task_type)
    print(type(with_session).__name__, with_session.task_config, with_session.metadata.retries)
    print(wait.name, wait.task_type, wait.python_interface.inputs, wait(path="x"))
    try:

        class Other(PythonFunctionTask[Session]):
            pass

        TaskPlugins.register_pythontask_plugin(Session, Other)
    except TypeError as e:
        print("TypeError", "Session" in str(e))
    print(TaskPlugins.find_pythontask_plugin(Session).__name__, TaskPlugins.find_pythontask_plugin(type(None)).__name__)
