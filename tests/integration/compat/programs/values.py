"""Values of many types through tasks: times, enums, literals, unions, dictionaries, numpy, pydantic, pickles."""

import datetime
import enum
from typing import Any, Dict, List, Literal, Optional, Set, Union

import numpy as np
from pydantic import BaseModel

from flytekit import kwtypes, task, workflow
from flytekit.types.file import FlyteFile
from flytekit.types.pickle import FlytePickle

try:
    from typing import Annotated
except ImportError:
    from typing_extensions import Annotated


class Color(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Superhero:
    def __init__(self, name, power):
        self.name = name
        self.power = power


class Config(BaseModel):
    lr: float = 0.1
    layers: List[int] = [1, 2]
    name: Optional[str] = None


class Nested(BaseModel):
    config: Config
    by_name: Dict[str, Config]


@task
def times(when: datetime.datetime, day: datetime.date, length: datetime.timedelta) -> str:
    return f"{when.isoformat()} {day} {length} {type(day).__name__}"


@task
def later(when: datetime.datetime, by: datetime.timedelta) -> datetime.datetime:
    return when + by


@task
def coffee(kind: Color) -> Color:
    return Color.BLUE if kind is Color.RED else Color.RED


@task
def mode(how: Literal["fast", "slow"]) -> str:
    return how * 2


@task
def unions(a: Union[int, str], b: int | None, c: Optional[List[float]] = None) -> Union[int, str, List[int]]:
    return f"{type(a).__name__} {b} {c}" if b else 3


@task
def welcome(name: str, power: str) -> Superhero:
    return Superhero(name, power)


@task
def greet(hero: Superhero) -> str:
    return f"{hero.name} {hero.power}"


@task
def heroes(names: List[str]) -> List[Superhero]:
    return [Superhero(n, "x") for n in names]


@task
def count(found: List[Superhero], tags: Set[str]) -> int:
    return len(found) + len(tags)


@task
def anything(x: Any) -> Any:
    return x


@task
def pickled(x: FlytePickle[int]) -> FlytePickle:
    return {"x": x}


@task
def dicts(a: Dict[str, int], b: dict, c: Dict[int, str]) -> Dict[str, dict]:
    return {"a": {k: v + 1 for k, v in a.items()}, "b": b, "c": {str(k): v for k, v in c.items()}}


@task
def nested(a: Dict[str, List[Dict[str, int]]]) -> int:
    return sum(v for rows in a.values() for row in rows for v in row.values())


@task
def array(n: int) -> np.ndarray:
    return np.arange(n) * 2


@task
def total(a: np.ndarray, b: List[np.ndarray]) -> float:
    return float(a.sum() + sum(x.sum() for x in b))


@task
def config(lr: float) -> Config:
    return Config(lr=lr, layers=[3])


@task
def wrap(c: Config) -> Nested:
    return Nested(config=c, by_name={"x": c})


@task
def lr_of(lr: float, layers: List[int]) -> str:
    return f"{lr} {layers}"


@workflow
def models(lr: float = 0.5) -> str:
    n = wrap(c=config(lr=lr))
    return lr_of(lr=n.config.lr, layers=n.by_name["x"].layers)


@workflow
def hero_wf(name: str = "Thor") -> tuple[str, int]:
    return greet(hero=welcome(name=name, power="flight")), count(found=heroes(names=[name, "Hulk"]), tags={"a", "b"})


@workflow
def color_wf(kind: Color = Color.RED) -> Color:
    return coffee(kind=coffee(kind=kind))


@workflow
def array_wf(n: int) -> float:
    a = array(n=n)
    return total(a=a, b=[a, array(n=2)])


@task
def lists() -> List[str]:
    return ["apple", "banana"]


@task
def maps() -> Dict[str, List[Dict[str, str]]]:
    return {"fruits": [{"name": "banana"}]}


@task
def echo(a: str) -> str:
    return a


@workflow
def attributes() -> tuple[str, str]:
    return echo(a=lists()[1]), echo(a=maps()["fruits"][0]["name"])


if __name__ == "__main__":
    utc = datetime.timezone.utc
    print(
        times(
            when=datetime.datetime(2024, 2, 29, 1, tzinfo=utc),
            day=datetime.date(2024, 2, 29),
            length=datetime.timedelta(hours=1),
        )
    )
    print(later(when=datetime.datetime(2024, 1, 1, tzinfo=utc), by=datetime.timedelta(days=1)))
    print(coffee(kind=Color.RED), color_wf(), color_wf(kind=Color.BLUE), mode(how="fast"))
    print(unions(a=1, b=2, c=[1.5]), unions(a="x", b=None))
    print(hero_wf(), anything(x={1, 2}), pickled(x=3))
    print(dicts(a={"x": 1}, b={"n": 1, "f": [1.5, "s"]}, c={1: "one"}), nested(a={"k": [{"a": 1}, {"b": 2}]}))
    print(array_wf(n=4), array(n=3))
    print(models(), config(lr=0.25), attributes())
    print(kwtypes(a=int), isinstance(FlyteFile, type))
    print(times.interface.inputs["when"].type.simple, coffee.interface.inputs["kind"].type.enum_type.values)
    print(sorted(v.simple for v in unions.interface.inputs["a"].type.union_type.variants))
