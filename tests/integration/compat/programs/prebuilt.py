"""Tasks whose template says everything, run by an executor; the same from a template that comes from elsewhere."""

from typing import Any, Dict

from flytekit import kwtypes, task, workflow
from flytekit.configuration import SerializationSettings
from flytekit.core.python_customized_container_task import PythonCustomizedContainerTask
from flytekit.core.shim_task import ShimTaskExecutor
from flytekit.extend import Interface
from flytekit.models import task as task_models


class GreetExecutor(ShimTaskExecutor["GreetTask"]):
    def execute_from_model(self, tt: task_models.TaskTemplate, **kwargs) -> Any:
        return f"{tt.custom['greeting']}, {kwargs['name']}" * int(tt.custom["times"])


class GreetTask(PythonCustomizedContainerTask[Dict]):
    def __init__(self, name: str, greeting: str, times: int = 1, **kwargs):
        super().__init__(
            name=name,
            task_config={"greeting": greeting},
            container_image="example.org/greet:1",
            executor_type=GreetExecutor,
            task_type="greet",
            interface=Interface(inputs=kwtypes(name=str), outputs=kwtypes(o0=str)),
            **kwargs,
        )
        self._greeting, self._times = greeting, times

    def get_custom(self, settings: SerializationSettings) -> Dict[str, Any]:
        return {"greeting": self._greeting, "times": self._times}


greet = GreetTask(name="greet.hello", greeting="hello", times=2)


@task
def upper(text: str) -> str:
    return text.upper()


@workflow
def wf(name: str) -> str:
    return upper(text=greet(name=name))


if __name__ == "__main__":
    print(wf(name="you"))
    print(greet(name="x"))
    settings = SerializationSettings(
        project="p", domain="d", version="v", image_config=PythonCustomizedContainerTask.SERIALIZE_SETTINGS.image_config
    )
    tt = greet.serialize_to_model(settings)
    print(tt.type, tt.custom["greeting"], tt.container.image, tt.container.args[-2:])
    print(greet.executor_type.__name__, greet.container_image, greet.task_type)
