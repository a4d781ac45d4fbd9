"""An engine as small as can be, in a process of its own: `python engine_process.py WHAT URL`. Tells what it did."""

from __future__ import annotations

import asyncio
import sys

from alula._kits import owners
from alula.errors import FenceLost
from alula.store.opening import open_store
from alula.store.store import Store
from tests.integration.store.rows import CLOSING, LONG, step


def say(*words: object) -> None:
    print(*words, flush=True)


async def take_all(store: Store, owner: str) -> None:
    """Claim, one by one, and close what was claimed, until there is nothing left."""
    say("ready")
    sys.stdin.readline()
    while claims := await store.claim(owner, limit=1):
        for claim in claims:
            await store.commit(claim, step("n0", owner.encode()))
            await store.commit(claim, CLOSING)
            say(claim.execution)


async def write_on(store: Store, owner: str) -> None:
    """Claim one execution, and write nodes until the end of this process or of the claim."""
    (claim,) = await store.claim(owner, limit=1)
    say(owner)
    count = 0
    while True:
        try:
            await store.commit(claim, step(f"n{count:06}"))
        except FenceLost:
            say("lost")
            return
        say(count)
        count += 1


async def write_when_told(store: Store, owner: str) -> None:
    """Claim one execution, and write a node for each line that comes in, until the end of the claim."""
    (claim,) = await store.claim(owner, limit=1)
    say(owner)
    for path in sys.stdin:
        try:
            await store.commit(claim, step(path.strip()))
        except FenceLost:
            say("lost")
            return
        say("kept")


async def write_much(store: Store, owner: str) -> None:
    """Claim one execution, and write a hundred nodes, each in a commit of its own."""
    (claim,) = await store.claim(owner, limit=1)
    say("ready")
    sys.stdin.readline()
    for count in range(100):
        await store.commit(claim, step(count))
    say(claim.execution)


async def main(what: str, url: str) -> None:
    store = open_store(url)
    owner = owners.of_this_process("test")
    await store.beat(owner, lease=LONG)
    acts = {"take_all": take_all, "write_on": write_on, "write_much": write_much, "write_when_told": write_when_told}
    await acts[what](store, owner)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
