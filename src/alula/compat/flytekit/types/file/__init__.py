"""Files by format."""

from __future__ import annotations

from alula.compat.flytekit.types.file.file import FlyteFile
from alula.compat.names import mirror

CSVFile = FlyteFile["csv"]
HDF5EncodedFile = HDF5File = FlyteFile["hdf5"]
HTMLPage = FlyteFile["html"]
JoblibSerializedFile = FlyteFile["joblib"]
JPEGImageFile = FlyteFile["jpeg"]
JSONLFile = FlyteFile["jsonl"]
ONNXFile = FlyteFile["onnx"]
PDFFile = FlyteFile["pdf"]
PNGImageFile = FlyteFile["png"]
PythonNotebook = FlyteFile["ipynb"]
PythonPickledFile = FlyteFile["python_pickle"]
SVGImageFile = FlyteFile["svg"]
TFRecordFile = FlyteFile["tfrecord"]

__all__ = ["FlyteFile"]
__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.types.file.file": "FlyteFilePathTransformer FileExt"})
