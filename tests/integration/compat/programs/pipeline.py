"""A pipeline as tutorials write it: schemas, hyperparameters, a model in a file, metrics in named tuples, a fan-out."""

import os
import typing
from dataclasses import dataclass
from typing import List, NamedTuple

import joblib
import numpy as np
import pandas as pd
from dataclasses_json import dataclass_json
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error

import flytekit
from flytekit import Resources, dynamic, kwtypes, map_task, task, workflow
from flytekit.types.file import FlyteFile
from flytekit.types.schema import FlyteSchema

columns = kwtypes(rooms=int, size=float, price=float)
House = FlyteSchema[columns]
Split = NamedTuple("Split", train=House, test=House)


@dataclass_json
@dataclass
class Hyperparameters:
    fit_intercept: bool = True
    test_share: float = 0.25
    label: str = "price"


class Model(NamedTuple):
    file: FlyteFile[typing.TypeVar("joblib.dat")]
    weights: List[float]


@task(cache=False, limits=Resources(mem="600Mi"))
def generate(n: int, seed: int) -> House:
    rng = np.random.default_rng(seed)
    rooms = rng.integers(1, 6, n)
    size = rng.normal(100, 20, n)
    return pd.DataFrame({"rooms": rooms, "size": size, "price": 10.0 * rooms + 2.0 * size + 5})


@task
def split(houses: House, hyper: Hyperparameters) -> Split:
    frame = houses.open().all()
    at = int(len(frame) * (1 - hyper.test_share))
    return Split(train=frame.iloc[:at], test=frame.iloc[at:].reset_index(drop=True))


@task(requests=Resources(cpu="1"))
def fit(train: House, hyper: Hyperparameters) -> Model:
    frame = train.open().all()
    model = LinearRegression(fit_intercept=hyper.fit_intercept)
    model.fit(frame[["rooms", "size"]], frame[hyper.label])
    path = os.path.join(flytekit.current_context().working_directory, "model.joblib.dat")
    joblib.dump(model, path)
    return Model(file=path, weights=[round(float(w), 6) for w in model.coef_])


@task
def predict(model: FlyteFile[typing.TypeVar("joblib.dat")], test: House) -> List[float]:
    loaded = joblib.load(model)
    return [round(float(v), 4) for v in loaded.predict(test.open(pd.DataFrame).all()[["rooms", "size"]])]


@task
def score(predicted: List[float], test: House, hyper: Hyperparameters) -> float:
    return round(float(mean_squared_error(predicted, test.open().all()[hyper.label])), 4)


@task
def best(scores: List[float]) -> float:
    return min(scores)


@task
def half(value: float) -> float:
    return value / 2


@dynamic
def many(seeds: List[int], hyper: Hyperparameters) -> float:
    scores = []
    for seed in seeds:
        houses = generate(n=40, seed=seed)
        parts = split(houses=houses, hyper=hyper)
        model = fit(train=parts.train, hyper=hyper)
        scores.append(score(predicted=predict(model=model.file, test=parts.test), test=parts.test, hyper=hyper))
    return best(scores=scores)


@workflow
def one(seed: int = 7, hyper: Hyperparameters = Hyperparameters()) -> NamedTuple(
    "Outputs", weights=List[float], mse=float
):
    parts = split(houses=generate(n=40, seed=seed), hyper=hyper)
    model = fit(train=parts.train, hyper=hyper)
    predicted = predict(model=model.file, test=parts.test)
    return model.weights, score(predicted=predicted, test=parts.test, hyper=hyper)


@workflow
def fan_out(seeds: List[int], hyper: Hyperparameters = Hyperparameters(test_share=0.5)) -> tuple[float, List[float]]:
    return many(seeds=seeds, hyper=hyper), map_task(half)(value=[1.0, 3.0])


if __name__ == "__main__":
    print(one(), one(seed=3).mse)
    print(fan_out(seeds=[1, 2]))
    print(one.python_interface.outputs, fit.python_interface.outputs["file"].extension())
