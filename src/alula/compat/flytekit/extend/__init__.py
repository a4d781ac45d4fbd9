"""What plugins of flytekit are built from."""

from alula.compat.names import mirror

_CORE = "alula.compat.flytekit.core."
__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.configuration": "Image ImageConfig SerializationSettings",
        _CORE + "base_sql_task": "SQLTask",
        _CORE + "base_task": "IgnoreOutputs PythonTask TaskResolverMixin",
        _CORE + "class_based_resolver": "ClassStorageTaskResolver",
        _CORE + "context_manager": "ExecutionState SecretsManager context_manager=",
        _CORE + "data_persistence": "FileAccessProvider",
        _CORE + "interface": "Interface",
        _CORE + "promise": "Promise",
        _CORE + "python_customized_container_task": "PythonCustomizedContainerTask",
        _CORE + "shim_task": "ExecutableTemplateShimTask ShimTaskExecutor",
        _CORE + "task": "TaskPlugins",
        _CORE + "type_engine": "DictTransformer T TypeEngine TypeTransformer",
        "alula.compat.flytekit.tools.translator": "get_serializable",
    },
)
