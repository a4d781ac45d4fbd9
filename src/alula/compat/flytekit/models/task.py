"""flytekit's models of tasks as they are registered."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror
from alula.idl import admin


class Resources(Model, idl=idl.Resources, fields="requests limits"):
    ResourceName = constants(idl.Resources.ResourceName, "What can be asked for.")

    class ResourceEntry(Model, idl=idl.Resources.ResourceEntry, fields="name value"): ...


class RuntimeMetadata(Model, idl=idl.RuntimeMetadata, fields="type version flavor"):
    RuntimeType = constants(idl.RuntimeMetadata.RuntimeType, "What made the task.")


class K8sObjectMetadata(Model, idl=idl.K8sObjectMetadata, fields="labels annotations"): ...


class TaskMetadata(
    Model,
    idl=idl.TaskMetadata,
    fields="discoverable runtime timeout retries interruptible discovery_version deprecated_error_message "
    "cache_serializable pod_template_name cache_ignore_input_vars is_eager generates_deck k8s_object_metadata",
    renamed={"k8s_object_metadata": "metadata"},
): ...


class IOStrategy(Model, idl=idl.IOStrategy, fields="download_mode upload_mode"):
    DOWNLOAD_MODE_EAGER, DOWNLOAD_MODE_STREAM, DOWNLOAD_MODE_NO_DOWNLOAD = range(3)
    UPLOAD_MODE_EAGER, UPLOAD_MODE_ON_EXIT, UPLOAD_MODE_NO_UPLOAD = 1, 0, 2


class DataLoadingConfig(Model, idl=idl.DataLoadingConfig, fields="input_path output_path enabled format io_strategy"):
    LITERALMAP_FORMAT_JSON, LITERALMAP_FORMAT_YAML, LITERALMAP_FORMAT_PROTO = range(3)


class Container(
    Model,
    idl=idl.Container,
    fields="image command args resources env config data_loading_config",
    renamed={"data_loading_config": "data_config"},
):
    """The environment and the configuration are dictionaries here."""

    def to_flyte_idl(self) -> Any:
        plain = Container(self.image, self.command, self.args, self.resources, None, None, self.data_loading_config)
        made = super(Container, plain).to_flyte_idl()
        for into, pairs in ((made.env, self.env), (made.config, self.config)):
            for key, value in (pairs or {}).items():
                into.add(key=key, value=value)
        return made

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Any:
        made = super().from_flyte_idl(pb2_object)
        made.env = {pair.key: pair.value for pair in pb2_object.env}
        made.config = {pair.key: pair.value for pair in pb2_object.config}
        return made


class K8sPod(
    Model,
    idl=idl.K8sPod,
    fields="metadata pod_spec data_config primary_container_name",
    dicts="pod_spec",
    blank="primary_container_name",
): ...


class Sql(Model, idl=idl.Sql, fields="statement dialect"):
    class Dialect:
        ANSI, HIVE = idl.Sql.ANSI, idl.Sql.HIVE


class TaskTemplate(
    Model,
    idl=idl.TaskTemplate,
    fields="id type metadata interface custom container task_type_version security_context config k8s_pod sql "
    "extended_resources",
    dicts="custom",
): ...


class TaskSpec(Model, idl=admin.TaskSpec, fields="template docs", renamed={"docs": "description"}): ...


__getattr__, __dir__ = mirror(__name__, {})
