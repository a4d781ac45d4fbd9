"""`ContainerTask`: an image and a command."""

from __future__ import annotations

import enum
from typing import Any

from alula.compat.flytekit.configuration import SerializationSettings
from alula.compat.flytekit.core.base_task import PythonTask
from alula.compat.flytekit.core.interface import Interface
from alula.compat.names import mirror
from alula.sdk.container import ContainerTask as Ours
from alula.sdk.container import MetadataFormat
from alula.sdk.graph import Entity
from alula.sdk.secrets import SecurityContext


class ContainerTask(PythonTask[Any]):
    """Runs a command in an image that knows nothing of Python. See `alula.ContainerTask`."""

    MetadataFormat = MetadataFormat

    class IOStrategy(enum.Enum):
        DOWNLOAD_EAGER, DOWNLOAD_STREAM, DO_NOT_DOWNLOAD = 1, 2, 3
        UPLOAD_EAGER, UPLOAD_ON_EXIT, DO_NOT_UPLOAD = 4, 5, 6

    def __init__(
        self,
        name: str,
        image: Any,
        command: list[str],
        inputs: dict[str, Any] | None = None,
        metadata: Any = None,
        arguments: list[str] | None = None,
        *,
        outputs: dict[str, Any] | None = None,
        requests: Any = None,
        limits: Any = None,
        resources: Any = None,
        input_data_dir: str | None = None,
        output_data_dir: str | None = None,
        metadata_format: Any = MetadataFormat.JSON,
        io_strategy: Any = None,
        secret_requests: Any = None,
        pod_template: Any = None,
        pod_template_name: str | None = None,
        local_logs: bool = True,
        **kwargs: Any,
    ) -> None:
        context = SecurityContext(secrets=list(secret_requests)) if secret_requests else None
        interface = Interface(inputs, outputs)
        super().__init__("raw-container", name, None, interface, metadata=metadata, security_ctx=context, **kwargs)
        self._said = {
            "image": image,
            "command": command,
            "arguments": arguments,
            "input_data_dir": input_data_dir,
            "output_data_dir": output_data_dir,
            "metadata_format": metadata_format,
            "local_logs": local_logs,
        }
        self._image, self._cmd, self._args = image, command, arguments
        self._rest = {
            "requests": requests,
            "limits": limits,
            "resources": resources,
            "pod_template": pod_template,
            **({"pod_template_name": pod_template_name} if pod_template_name else {}),
        }

    def get_container(self, settings: SerializationSettings) -> Any:
        return self.template(settings).container

    def get_k8s_pod(self, settings: SerializationSettings) -> Any:
        return self.template(settings).k8s_pod

    def _entity(self) -> Entity:
        types = self.python_interface.ours
        return Ours(
            self.name,
            **self._said,
            inputs={name: (one.type, one.default) for name, one in types.inputs.items()},
            outputs={name: one.type for name, one in types.outputs.items()},
            **{**self.metadata.options(), **self._rest},
            environment=self.environment or None,
            secret_requests=getattr(self.security_context, "secrets", None),
        )


__getattr__, __dir__ = mirror(__name__, {})
