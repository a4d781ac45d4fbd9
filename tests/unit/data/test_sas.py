"""Signatures for Azure: for which container or directory, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

from alula._kits.bridge import run
from alula.data.sas import lent, signature
from alula.data.settings import Reach, StoreSettings

KEY = "c2VjcmV0IGtleQ=="
PERIOD = (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC))


def test_a_signature_is_the_same_for_the_same() -> None:
    made = signature("acc", KEY, ["box"], "rl", PERIOD, plain=False)
    assert made == signature("acc", KEY, ["box"], "rl", PERIOD, plain=False)
    parts = parse_qs(made)
    assert (parts["sr"], parts["sp"], parts["spr"]) == (["c"], ["rl"], ["https"])
    assert (parts["st"], parts["se"]) == (["2026-01-02T03:04:05Z"], ["2026-01-02T04:04:05Z"])
    others = [
        signature("acc2", KEY, ["box"], "rl", PERIOD, plain=False),
        signature("acc", "b3RoZXI=", ["box"], "rl", PERIOD, plain=False),
        signature("acc", KEY, ["box2"], "rl", PERIOD, plain=False),
    ]
    assert len({parse_qs(one)["sig"][0] for one in [made, *others]}) == 4


def test_with_directories_it_is_for_the_deepest_that_holds_all_places() -> None:
    own = {"account_name": "acc", "account_key": KEY, "task_directories": "true"}
    reach = Reach(("abfs://box@acc.dfs.core.windows.net/p/d/run/n0/0/inputs.pb",), ("az://box/p/d/run/n0/0",))
    parts = parse_qs(run(lent(StoreSettings(az=own), reach, 60))["sas_key"])
    assert (parts["sr"], parts["sdd"], parts["sp"]) == (["d"], ["5"], ["rcwdl"])
    flat = {key: value for key, value in own.items() if key != "task_directories"}
    parts = parse_qs(run(lent(StoreSettings(az=flat), reach, 60))["sas_key"])
    assert (parts["sr"], "sdd" in parts) == (["c"], False)


def test_the_account_of_a_uri_comes_before_that_of_the_settings() -> None:
    own = {"account_name": "acc", "account_key": KEY}
    made = run(lent(StoreSettings(az=own), Reach(("abfs://box@other.dfs.core.windows.net/x",), ()), 60))
    assert made["account_name"] == "other"
