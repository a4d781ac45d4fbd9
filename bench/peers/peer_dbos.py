"""DBOS on SQLite: steps of one workflow, in a chain or gathered: its fastest way, in one process.

`default` is the database as DBOS makes it, with a rollback journal; `wal` is the same database set to WAL beforehand,
the fastest form that keeps everything. Both are `synchronous=FULL`, SQLite's own default.
"""

import asyncio
import json
import logging
import os
import sqlite3
import sys
import tempfile
import time

from dbos import DBOS

CASE, COUNT, JOURNAL = sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or ["wal"])[0]
logging.disable(logging.WARNING)


@DBOS.step()
def add_one(a: int) -> int:
    return a + 1


@DBOS.workflow()
def chain(count: int) -> int:
    a = 0
    for _ in range(count):
        a = add_one(a)
    return a


@DBOS.step()
async def same(a: int) -> int:
    return a


@DBOS.workflow()
async def gathered(count: int) -> list[int]:
    return await asyncio.gather(*(same(i) for i in range(count)))


def run(count):
    start = time.perf_counter()
    if CASE == "chain":
        chain(count)
    else:
        asyncio.run(gathered(count))
    return (time.perf_counter() - start) / count


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "dbos.sqlite")
    if JOURNAL == "wal":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA journal_mode=WAL")
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "run_admin_server": False})
    DBOS.launch()
    run(50)
    print(json.dumps({"seconds": run(COUNT), "keeps": f"SQLite {JOURNAL}, FULL"}))
    sys.stdout.flush()
    DBOS.destroy()
