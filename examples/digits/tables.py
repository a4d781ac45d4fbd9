"""What flows between the tasks: data frames with a schema, and records."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandera.pandas as pa
from pandera.typing import Series


class Shades(pa.DataFrameModel):
    """One row per scan: the digit that was meant, and 64 shades from 0 (paper) to 1 (ink), `p00` to `p77`."""

    scan: Series[int] = pa.Field(ge=0, unique=True)
    digit: Series[int] = pa.Field(ge=0, le=9)
    shade: Series[float] = pa.Field(alias="p[0-7][0-7]", regex=True, ge=0, le=1)


class Readings(pa.DataFrameModel):
    """One row per scan: the digit that was meant, and the one that the model read."""

    scan: Series[int] = pa.Field(ge=0, unique=True)
    digit: Series[int] = pa.Field(ge=0, le=9)
    guess: Series[int] = pa.Field(ge=0, le=9)


@dataclass(frozen=True)
class Score:
    """How well one model read the scans that it had not seen, over five rounds."""

    model: str
    accuracy: float
    spread: float


@dataclass(frozen=True)
class Confusion:
    """One digit that was taken for another."""

    digit: int
    guess: int
    times: int


@dataclass(frozen=True)
class Findings:
    """What the pipeline found out."""

    model: str
    scans: int
    right: int
    confusions: list[Confusion] = field(default_factory=list)

    @property
    def result(self) -> str:
        return f"{self.model} read {self.right} of {self.scans} digits right ({self.right / self.scans:.1%})"

    @property
    def mistakes(self) -> str:
        return ", ".join(f"{one.digit} as {one.guess} ({one.times}x)" for one in self.confusions[:5]) or "none"
