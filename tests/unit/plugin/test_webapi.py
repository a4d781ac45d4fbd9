from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alula.errors import PluginError
from alula.plugin.webapi import Limits


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"refresh": 10}, "refresh is 10, and must be a timedelta, as `timedelta(seconds=30)`"),
        ({"timeout": None}, "timeout is None, and must be a timedelta, as `timedelta(seconds=30)`"),
        ({"settle": 2.5}, "settle is 2.5, and must be a timedelta"),
        ({"batch": 0}, "batch is 0, and must be a whole number above 0"),
        ({"concurrent": 0}, "concurrent is 0, and must be a whole number above 0"),
        ({"concurrent": 1.5}, "concurrent is 1.5, and must be a whole number above 0"),
        ({"writes_per_second": "5"}, "writes_per_second is '5', and must be a number"),
        (
            {"pools": {"gpu": "many"}},
            "pools is {'gpu': 'many'}, and must be names of pools with whole numbers of units",
        ),
        ({"pools": ["gpu"]}, "pools is ['gpu'], and must be"),
    ],
)
def test_limits_that_would_stop_all_jobs_are_refused_where_they_are_written(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError) as refused:
        Limits(**given)
    assert said in str(refused.value)


def test_all_others_are_taken() -> None:
    Limits(writes_per_second=0, reads_per_second=0.1, batch=1, refresh=timedelta(0), timeout=timedelta(0))
    Limits(pools={"gpu": 3})
