"""Files by format."""

from __future__ import annotations

from alula.compat.flytekit.types.file.file import FlyteFile
from alula.compat.names import mirror
from alula.types.files import specific

CSVFile = specific(FlyteFile, "csv")
HDF5File = specific(FlyteFile, "hdf5")
HTMLPage = specific(FlyteFile, "html")
JoblibSerializedFile = specific(FlyteFile, "joblib")
JPEGImageFile = specific(FlyteFile, "jpeg")
JSONLFile = specific(FlyteFile, "jsonl")
ONNXFile = specific(FlyteFile, "onnx")
PDFFile = specific(FlyteFile, "pdf")
PNGImageFile = specific(FlyteFile, "png")
PythonNotebook = specific(FlyteFile, "ipynb")
PythonPickledFile = specific(FlyteFile, "python_pickle")
SVGImageFile = specific(FlyteFile, "svg")
TFRecordFile = specific(FlyteFile, "tfrecord")
HDF5EncodedFile = HDF5File

__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.types.file.file": "FlyteFilePathTransformer"})
