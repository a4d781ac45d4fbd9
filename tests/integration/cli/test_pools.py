"""`alula pool` and `alula leaks`, on a store on disk; and what `[pools]` and `[engine] backlog` do."""

from __future__ import annotations

import asyncio
import json

from alula.client.synchronous import Client
from alula.config import load
from alula.store.opening import open_store
from alula.store.records import Changes, StuckRecord
from alula.testing.suites.stores import NOW, attempt, claimed
from tests.integration.cli.programs import Shell

FLOW = """
from alula import task, workflow
@task
def one(a: int) -> int:
    return a + 1
@workflow
def flow(a: int) -> int:
    return one(a=a)
"""


def test_a_pool_is_set_listed_and_shown(shell: Shell) -> None:
    assert "alula pool set NAME UNITS" in shell.alula("pool", "list").stderr
    done = shell.alula("pool", "set", "pg", "3", "--per-project", "2", "--weight", "a=2", "--priority", "4")
    assert done.stdout.strip() == "pg: 0 of 3 units in use (2 per project at most; a weighs 2; priority 4)"
    assert shell.alula("pool", "set", "pg", "5").exit_code == 0
    [row] = json.loads(shell.alula("pool", "list", "-o", "json").stdout)
    assert (row["name"], row["units"], row["per_project"], row["weights"]) == ("pg", 5, 2, {"a": 2.0})
    assert shell.alula("pool", "show", "pg").stdout.startswith("pg: 0 of 5 units in use")
    assert json.loads(shell.alula("pool", "show", "pg", "-o", "json").stdout)["leases"] == []


def test_a_pool_that_is_set_wrongly_or_not_there_says_what_to_do(shell: Shell) -> None:
    assert shell.alula("pool", "set", "pg").exit_code == 2
    assert shell.alula("pool", "set", "pg", "3", "--weight", "a").exit_code == 2
    refused = shell.alula("pool", "set", "pg", "3", "--weight", "a=0")
    assert refused.exit_code == 2
    assert "the weight of project a is 0" in refused.stderr
    missing = shell.alula("pool", "show", "other")
    assert missing.exit_code == 2
    assert "alula pool set other UNITS" in missing.stderr


def test_nothing_leaks_and_then_something_does(shell: Shell) -> None:
    done = shell.alula("leaks")
    assert (done.exit_code, "nothing leaks" in done.stderr) == (0, True)
    quarantine(load().store_url)
    done = shell.alula("leaks")
    assert done.exit_code == 1
    assert "quarantined" in done.stdout
    assert "403 Forbidden" in done.stdout
    [leak] = json.loads(shell.alula("leaks", "-o", "json").stdout)["leaks"]
    assert (leak["kind"], leak["path"], leak["number"]) == ("quarantined", "n0", 0)


def test_what_nobody_is_there_to_clean_up_is_not_said_to_be_reclaimed(shell: Shell) -> None:
    quarantine(load().store_url, alone=True)
    done = shell.alula("leaks", "--reclaim")
    assert done.exit_code == 1
    assert "403 Forbidden" in done.stdout
    assert "(reclaimed)" not in done.stdout


def quarantine(url: str, *, alone: bool = False) -> None:
    """Have an attempt that cannot be cleaned up after; `alone`: and no engine that lives."""

    async def do() -> None:
        store = open_store(url)
        claim = await claimed(store)
        stuck = StuckRecord("n0", 0, NOW, 7, "403 Forbidden")
        await store.commit(claim, Changes(attempts=(attempt("n0"),), stuck=(stuck,)))
        if alone:
            await store.retire("a")
        await store.aclose()

    asyncio.run(do())


def test_pools_in_the_settings_are_there_once_an_engine_was(shell: Shell) -> None:
    shell.add("alula.toml", "[pools]\nwarehouse = 4\n")
    shell.add("other_flow.py", FLOW)
    assert shell.alula("run", "other_flow.py", "flow", "--a", "1", "-q").exit_code == 0
    with Client() as client:
        assert [(pool.name, pool.units) for pool in client.pools()] == [("warehouse", 4)]


def test_beyond_the_backlog_a_run_is_refused_with_a_way_out(shell: Shell) -> None:
    shell.add("alula.toml", "[engine]\nbacklog = 1\n")
    shell.add("other_flow.py", FLOW)
    quarantine(load().store_url)
    done = shell.alula("run", "other_flow.py", "flow", "--a", "1")
    assert done.exit_code == 5
    assert "1 executions are open already" in done.stderr
    assert "engine.backlog" in done.stderr


def test_settings_of_pools_that_are_no_numbers_are_faults(shell: Shell) -> None:
    shell.add("alula.toml", '[pools]\nwarehouse = "many"\n')
    done = shell.alula("pool", "list")
    assert done.exit_code != 0
    assert "pool warehouse has 'many' units" in done.stderr
