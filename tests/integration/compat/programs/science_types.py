"""Estimators, tensors, modules and images as values."""

from typing import Dict, List

import numpy as np
import torch
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression

from flytekit import kwtypes, task, workflow
from flytekit.extras.pytorch import PyTorchCheckpoint

try:
    from typing import Annotated
except ImportError:
    from typing_extensions import Annotated


@task
def estimator() -> BaseEstimator:
    return LinearRegression().fit(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]))


@task
def predict(model: BaseEstimator, at: float) -> float:
    return round(float(model.predict(np.array([[at]]))[0]), 6)


@task
def tensors(n: int) -> List[torch.Tensor]:
    return [torch.full((2,), float(i)) for i in range(n)]


@task
def summed(ts: List[torch.Tensor], named: Dict[str, torch.Tensor]) -> float:
    return float(sum(t.sum() for t in ts) + sum(t.sum() for t in named.values()))


@task
def image(size: int) -> Image.Image:
    return Image.new("RGB", (size, size * 2), (255, 0, 0))


@task
def width(i: Image.Image) -> int:
    return i.size[0]


@task
def objects() -> Annotated[np.ndarray, kwtypes(allow_pickle=True)]:
    return np.array([{"a": 1}, {"b": 2}])


@task
def first(a: Annotated[np.ndarray, kwtypes(allow_pickle=True)]) -> str:
    return str(a[0])


@workflow
def wf(n: int = 3) -> tuple[float, float, int, str]:
    ts = tensors(n=n)
    return (
        predict(model=estimator(), at=4.0),
        summed(ts=ts, named={"x": ts[0]}),
        width(i=image(size=5)),
        first(a=objects()),
    )


if __name__ == "__main__":
    print(wf())
    print(predict(model=estimator(), at=0.5), PyTorchCheckpoint.__name__)
