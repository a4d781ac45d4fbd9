"""Directories by format."""

from alula.compat.flytekit.types.directory.types import FlyteDirectory
from alula.compat.names import mirror

TensorboardLogs = FlyteDirectory["tensorboard"]
TFRecordsDirectory = FlyteDirectory["tfrecords_dir"]

__all__ = ["FlyteDirectory"]
__getattr__, __dir__ = mirror(
    __name__, {"alula.compat.flytekit.types.directory.types": "FlyteDirToMultipartBlobTransformer"}
)
