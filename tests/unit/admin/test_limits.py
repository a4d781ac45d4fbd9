"""Limits of plugins, changed while engines run."""

from __future__ import annotations

import pytest

from alula.admin.limits import limits, set_limit
from alula.errors import RequestError
from tests.unit.admin.office import desk


async def test_a_limit_is_changed_and_put_back() -> None:
    at = desk()
    await set_limit(at, "x.y", "writes_per_second", "2.5")
    await set_limit(at, "slurm", "refresh", "1m")
    await at.store.set_knob("pools.pg", "3")
    assert [(one.plugin, one.limit, one.value) for one in await limits(at)] == [
        ("slurm", "refresh", "1m"),
        ("x.y", "writes_per_second", "2.5"),
    ]
    assert [one.limit for one in await limits(at, "slurm")] == ["refresh"]
    await set_limit(at, "slurm", "refresh", "")
    assert await limits(at, "slurm") == []


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("pools", "3"),
        ("other", "3"),
        ("batch", "many"),
        ("batch", "0"),
        ("refresh", "soon"),
        ("reads_per_second", "nan"),
    ],
)
async def test_what_is_no_limit_is_refused_with_a_way_out(limit: str, value: str) -> None:
    with pytest.raises(RequestError) as told:
        await set_limit(desk(), "x", limit, value)
    assert told.value.fix
