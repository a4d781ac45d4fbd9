"""A data frame between two tasks, beside pyarrow writing and reading the same parquet; prints both seconds."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import alula

ROWS, REPEATS = int(sys.argv[1]), int(sys.argv[2])
GENERATOR = np.random.default_rng(7)


def frame() -> pd.DataFrame:
    """(ROWS, 5): two ints, two floats, one of text."""
    return pd.DataFrame(
        {
            "a": GENERATOR.integers(0, 1_000_000, ROWS),
            "b": GENERATOR.integers(0, 100, ROWS),
            "c": GENERATOR.random(ROWS),
            "d": GENERATOR.normal(size=ROWS),
            "e": GENERATOR.choice(["red", "green", "blue", "a longer word"], ROWS),
        }
    )


CURRENT = frame()


@alula.task
def give() -> pd.DataFrame:
    return CURRENT


@alula.task
def take(df: pd.DataFrame) -> int:
    return len(df)


@alula.workflow
def between() -> int:
    return take(df=give())


def ours() -> float:
    start = time.perf_counter()
    assert between() == ROWS
    return time.perf_counter() - start


def theirs(folder: Path) -> float:
    start = time.perf_counter()
    path = folder / "frame.parquet"
    pq.write_table(pa.Table.from_pandas(CURRENT), path)
    assert len(pq.read_table(path).to_pandas()) == ROWS
    return time.perf_counter() - start


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(ours(), theirs(Path(folder))) for _ in range(REPEATS + 1)][1:]
    print(*(f"{one} {other}" for one, other in pairs), sep="\n")
