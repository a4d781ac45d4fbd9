"""Task configs of Flyte's own plugins (flyteidl.plugins), loaded only by the tasks and backends that use one."""

from flyteidl.plugins.array_job_pb2 import ArrayJob
from flyteidl.plugins.common_pb2 import CommonReplicaSpec, RestartPolicy
from flyteidl.plugins.dask_pb2 import DaskJob, DaskScheduler, DaskWorkerGroup
from flyteidl.plugins.kubeflow.common_pb2 import CleanPodPolicy, RunPolicy
from flyteidl.plugins.kubeflow.mpi_pb2 import (
    DistributedMPITrainingReplicaSpec,
    DistributedMPITrainingTask,
)
from flyteidl.plugins.kubeflow.pytorch_pb2 import (
    DistributedPyTorchTrainingReplicaSpec,
    DistributedPyTorchTrainingTask,
    ElasticConfig,
)
from flyteidl.plugins.kubeflow.tensorflow_pb2 import (
    DistributedTensorflowTrainingReplicaSpec,
    DistributedTensorflowTrainingTask,
)
from flyteidl.plugins.presto_pb2 import PrestoQuery
from flyteidl.plugins.ray_pb2 import AutoscalerOptions, HeadGroupSpec, RayCluster, RayJob, WorkerGroupSpec
from flyteidl.plugins.spark_pb2 import SparkApplication, SparkJob

__all__ = [
    "ArrayJob",
    "AutoscalerOptions",
    "CleanPodPolicy",
    "CommonReplicaSpec",
    "DaskJob",
    "DaskScheduler",
    "DaskWorkerGroup",
    "DistributedMPITrainingReplicaSpec",
    "DistributedMPITrainingTask",
    "DistributedPyTorchTrainingReplicaSpec",
    "DistributedPyTorchTrainingTask",
    "DistributedTensorflowTrainingReplicaSpec",
    "DistributedTensorflowTrainingTask",
    "ElasticConfig",
    "HeadGroupSpec",
    "PrestoQuery",
    "RayCluster",
    "RayJob",
    "RestartPolicy",
    "RunPolicy",
    "SparkApplication",
    "SparkJob",
    "WorkerGroupSpec",
]
