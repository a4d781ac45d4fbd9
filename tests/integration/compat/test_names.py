"""Every name that flytekit's users write is there, and one that is not says so clearly."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from alula import compat
from alula.compat.names import NoSuchName, NotMirrored

COMMON = {
    "flytekit": "task workflow dynamic eager map_task conditional kwtypes current_context new_context "
    "ExecutionParameters FlyteContext FlyteContextManager Workflow ImperativeWorkflow "
    "WorkflowFailurePolicy LaunchPlan CronSchedule FixedRate Email Slack PagerDuty approve sleep "
    "wait_for_input reference_task reference_workflow reference_launch_plan get_reference_entity "
    "TaskReference WorkflowReference LaunchPlanReference ContainerTask SQLTask PythonFunctionTask "
    "PythonInstanceTask TaskMetadata Resources PodTemplate Secret SecurityContext Options Labels "
    "Annotations AuthRole Cache CachePolicy VersionParameters HashMethod Environment Checkpoint Deck "
    "ImageSpec FlyteFile FlyteDirectory StructuredDataset StructuredDatasetFormat "
    "StructuredDatasetTransformerEngine StructuredDatasetType Blob BlobMetadata BlobType Literal "
    "LiteralType Scalar WorkflowExecutionPhase ConcurrencyPolicy ConcurrencyLimitBehavior Description "
    "Documentation SourceCode BatchSize Artifact OnSchedule Config logger load_implicit_plugins "
    "lazy_module",
    "flytekit.extend": "Image ImageConfig SerializationSettings context_manager SQLTask IgnoreOutputs PythonTask "
    "TaskResolverMixin ClassStorageTaskResolver ExecutionState SecretsManager FileAccessProvider "
    "Interface Promise PythonCustomizedContainerTask ShimTaskExecutor ExecutableTemplateShimTask "
    "TaskPlugins DictTransformer T TypeEngine TypeTransformer get_serializable",
    "flytekit.types.file": "FlyteFile CSVFile HDF5File HTMLPage JoblibSerializedFile JPEGImageFile PDFFile "
    "PNGImageFile PythonPickledFile PythonNotebook SVGImageFile ONNXFile TFRecordFile "
    "HDF5EncodedFile JSONLFile",
    "flytekit.types.directory": "FlyteDirectory TFRecordsDirectory TensorboardLogs",
    "flytekit.types.structured": "StructuredDataset StructuredDatasetEncoder StructuredDatasetDecoder",
    "flytekit.types.structured.structured_dataset": "PARQUET CSV StructuredDatasetTransformerEngine",
    "flytekit.types.schema": "FlyteSchema SchemaFormat SchemaOpenMode",
    "flytekit.types.pickle": "FlytePickle",
    "flytekit.types.iterator": "FlyteIterator JSON",
    "flytekit.types.error.error": "FlyteError",
    "flytekit.deck": "Deck DeckField MarkdownRenderer TopFrameRenderer SourceCodeRenderer",
    "flytekit.deck.renderer": "Renderable",
    "flytekit.testing": "task_mock patch",
    "flytekit.core.node_creation": "create_node",
    "flytekit.core.task": "Echo TaskPlugins task",
    "flytekit.core.annotation": "FlyteAnnotation",
    "flytekit.core.local_cache": "LocalTaskCache",
    "flytekit.core.artifact": "Artifact",
    "flytekit.core.python_auto_container": "default_task_resolver",
    "flytekit.core.array_node_map_task": "ArrayNodeMapTaskResolver map_task",
    "flytekit.core.utils": "timeit ClassDecorator",
    "flytekit.extras.accelerators": "T4 A10G L4 H100 A100 A100_80GB V100 GPUAccelerator V5E",
    "flytekit.extras.tasks.shell": "ShellTask OutputLocation",
    "flytekit.extras.webhook": "WebhookTask",
    "flytekit.sensor": "BaseSensor FileSensor",
    "flytekit.sensor.file_sensor": "FileSensor",
    "flytekit.extras.sqlite3.task": "SQLite3Task SQLite3Config",
    "flytekit.extras.pytorch": "PyTorchCheckpoint",
    "flytekit.image_spec": "ImageSpec ImageBuildEngine",
    "flytekit.configuration": "Config PlatformConfig SerializationSettings Image ImageConfig "
    "FastSerializationSettings LocalConfig SecretsConfig S3Config GCSConfig "
    "AzureBlobStorageConfig DataConfig",
    "flytekit.exceptions.user": "FlyteUserException FlyteTypeException FlyteValueException FlyteAssertion "
    "FlyteValidationException FlyteDisapprovalException FlyteTimeout "
    "FlyteRecoverableException FlyteMissingTypeException FlyteMissingReturnValueException "
    "FlyteEntityNotExistException",
    "flytekit.exceptions.system": "FlyteSystemException FlyteNotImplementedException FlyteEntrypointNotLoadable",
    "flytekit.exceptions.base": "FlyteException FlyteRecoverableException",
    "flytekit.tools.translator": "get_serializable",
    "flytekit.experimental": "eager",
}
"""Module to the names that programs take from it: those of flytekit's top level, and its documented modules."""


@pytest.fixture(autouse=True)
def _hook() -> Iterator[None]:
    compat.install()
    yield
    compat.uninstall()


@pytest.mark.parametrize("module", COMMON)
def test_every_common_name_resolves(module: str) -> None:
    found = importlib.import_module(module)
    missing = [name for name in COMMON[module].split() if getattr(found, name, None) is None]
    assert not missing


@pytest.mark.parametrize("path", ["flytekit.FlyteRemote", "flytekit.SensorEngine", "flytekit.models.literals.Literl"])
def test_a_missing_name_says_which_and_what_to_do(path: str) -> None:
    module, _, name = path.rpartition(".")
    with pytest.raises(NotMirrored) as imported:
        exec(f"from {module} import {name}", {})
    with pytest.raises(NoSuchName) as asked:
        getattr(importlib.import_module(module), name)
    assert path in str(imported.value)
    assert "fix:" in str(imported.value)
    assert path in str(asked.value)
    assert not hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", ["flytekit.remote", "flytekit.clients.friendly", "flytekit.nothing"])
def test_a_missing_module_says_which(module: str) -> None:
    with pytest.raises(NotMirrored, match=f"there is no {'.'.join(module.split('.')[:2])}"):
        importlib.import_module(module)


def test_a_misspelt_name_is_given_its_neighbour() -> None:
    with pytest.raises(NotMirrored, match="perhaps Literal is meant"):
        exec("from flytekit.models.literals import Literall", {})


def test_a_star_brings_the_names() -> None:
    scope: dict[str, object] = {}
    exec("from flytekit import *", scope)
    assert {"task", "workflow", "FlyteFile", "Resources"} <= scope.keys()


def test_importing_the_layer_loads_no_heavy_library() -> None:
    program = (
        "import sys, alula.compat; alula.compat.install()\n"
        "from flytekit import task, workflow, FlyteFile, StructuredDataset, LaunchPlan, map_task, Resources\n"
        "heavy = ('grpc', 'pandas', 'numpy', 'pyarrow', 'fsspec', 'sqlalchemy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
