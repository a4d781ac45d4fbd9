"""Directories by format."""

from alula.compat.flytekit.types.directory.types import FlyteDirectory
from alula.compat.names import mirror
from alula.types.files import specific

TensorboardLogs = specific(FlyteDirectory, "tensorboard")
TFRecordsDirectory = specific(FlyteDirectory, "tfrecords_dir")

__all__ = ["FlyteDirectory"]
__getattr__, __dir__ = mirror(
    __name__, {"alula.compat.flytekit.types.directory.types": "FlyteDirToMultipartBlobTransformer"}
)
