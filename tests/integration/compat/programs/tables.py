"""Structured datasets: data frames in and out, columns, formats, encoders and decoders of one's own."""

import os
import tempfile
from dataclasses import dataclass
from typing import Annotated, Optional

import numpy as np
import pandas as pd
import pyarrow as pa

from flytekit import FlyteContext, StructuredDatasetType, kwtypes, task, workflow
from flytekit.models import literals
from flytekit.models.literals import StructuredDatasetMetadata
from flytekit.types.schema import FlyteSchema
from flytekit.types.structured.structured_dataset import (
    PARQUET,
    StructuredDataset,
    StructuredDatasetDecoder,
    StructuredDatasetEncoder,
    StructuredDatasetTransformerEngine,
)

all_cols = kwtypes(Name=str, Age=int, Height=int)
col = kwtypes(Age=int)


@task
def get_df(a: int) -> Annotated[pd.DataFrame, all_cols]:
    return pd.DataFrame({"Name": ["Tom", "Joseph"], "Age": [a, 22], "Height": [160, 178]})


@task
def get_subset(df: Annotated[StructuredDataset, col]) -> Annotated[StructuredDataset, col]:
    df = df.open(pd.DataFrame).all()
    df = pd.concat([df, pd.DataFrame([[30]], columns=["Age"])])
    return StructuredDataset(dataframe=df)


@task
def to_arrow(df: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(df)


@task
def rows(table: pa.Table) -> int:
    return table.num_rows


@task
def as_csv(df: pd.DataFrame) -> Annotated[StructuredDataset, "csv"]:
    return StructuredDataset(dataframe=df)


@task
def file_format(sd: StructuredDataset) -> str:
    return f"{sd.metadata.structured_dataset_type.format} {sd.open(pd.DataFrame).all().shape}"


@workflow
def wf(a: int = 20) -> tuple[Annotated[StructuredDataset, col], int, str]:
    df = get_df(a=a)
    return get_subset(df=df), rows(table=to_arrow(df=df)), file_format(sd=as_csv(df=df))


class NumpyEncoder(StructuredDatasetEncoder):
    def __init__(self):
        super().__init__(np.ndarray, None, PARQUET)

    def encode(
        self, ctx: FlyteContext, structured_dataset: StructuredDataset, structured_dataset_type: StructuredDatasetType
    ) -> literals.StructuredDataset:
        df = structured_dataset.dataframe
        path = ctx.file_access.get_random_remote_directory()
        local = ctx.file_access.get_random_local_directory()
        name = [f"col{i}" for i in range(len(df))]
        table = pa.Table.from_arrays([pa.array(row) for row in df], name)
        pa.parquet.write_table(table, os.path.join(local, "00000"))
        ctx.file_access.upload_directory(local, path)
        return literals.StructuredDataset(uri=path, metadata=StructuredDatasetMetadata(structured_dataset_type))


class NumpyDecoder(StructuredDatasetDecoder):
    def __init__(self):
        super().__init__(np.ndarray, None, PARQUET)

    def decode(
        self,
        ctx: FlyteContext,
        flyte_value: literals.StructuredDataset,
        current_task_metadata: StructuredDatasetMetadata,
    ) -> np.ndarray:
        local_dir = ctx.file_access.get_random_local_directory()
        ctx.file_access.get_data(flyte_value.uri, local_dir, is_multipart=True)
        return pa.parquet.read_table(local_dir).to_pandas().to_numpy().T


class NumpyRenderer:
    def to_html(self, array: np.ndarray) -> str:
        return pd.DataFrame(array).describe().to_html()


StructuredDatasetTransformerEngine.register(NumpyEncoder())
StructuredDatasetTransformerEngine.register(NumpyDecoder())
StructuredDatasetTransformerEngine.register_renderer(np.ndarray, NumpyRenderer())


@task
def to_numpy(ds: Annotated[StructuredDataset, col]) -> Annotated[StructuredDataset, col, PARQUET]:
    numpy_array = ds.open(np.ndarray).all()
    return StructuredDataset(dataframe=numpy_array)


@workflow
def numpy_wf(a: int) -> Annotated[StructuredDataset, col]:
    return to_numpy(ds=get_df(a=a))


@task
def schema_out() -> FlyteSchema[kwtypes(x=int, y=str)]:
    s = FlyteSchema[kwtypes(x=int, y=str)]()
    s.open().write(pd.DataFrame({"x": [1, 2], "y": ["3", "4"]}))
    return s


@task
def schema_in(s: FlyteSchema[kwtypes(x=int, y=str)]) -> int:
    return int(s.open().all()["x"].sum())


@task
def frame_in(df: pd.DataFrame) -> int:
    return len(df)


@workflow
def schema_wf() -> tuple[int, int]:
    s = schema_out()
    return schema_in(s=s), frame_in(df=s)


@dataclass
class Company:
    name: str
    data: StructuredDataset
    year: Optional[int] = None


@task
def company(df: pd.DataFrame) -> Company:
    return Company("c", StructuredDataset(dataframe=df, file_format="parquet"))


@task
def size(sd: StructuredDataset) -> int:
    return len(sd.open(pd.DataFrame).all())


@workflow
def company_wf() -> int:
    return size(sd=company(df=get_df(a=1)).data)


if __name__ == "__main__":
    subset, count, text = wf()
    print(subset.open(pd.DataFrame).all()["Age"].tolist(), count, text)
    print(get_df(a=1).to_dict("list"))
    print(numpy_wf(a=7).open(np.ndarray).all().tolist())
    print(schema_wf(), company_wf())
    path = os.path.join(tempfile.mkdtemp(), "data.parquet")
    pd.DataFrame({"Age": [1, 2], "More": [3, 4]}).to_parquet(path)
    sd = StructuredDataset(uri=path, file_format="parquet")
    print(file_format(sd=sd), get_subset(df=sd).open(pd.DataFrame).all()["Age"].tolist())
    print(get_df.interface.outputs["o0"].type.structured_dataset_type.columns[1].name)
