"""Every call of flyteidl's services is answered, or there is a reason in writing why it is not."""

from __future__ import annotations

from pathlib import Path

from alula.config import Config
from alula.serve.control import parts
from alula.serve.house import House
from alula.services.binding import NOT_OFFERED, bind
from alula.store.memory import MemoryStore


def test_every_call_is_bound_or_has_a_reason() -> None:
    rpcs = bind(parts(House(Config(home=Path("home")), MemoryStore()), None, None))
    silent = [key for rpc in rpcs if rpc.reason and (key := f"{rpc.service}/{rpc.name}") not in NOT_OFFERED]
    assert not silent, f"write a part for these, or a reason into alula.services.binding.NOT_OFFERED: {silent}"
    needless = [key for rpc in rpcs if not rpc.reason and (key := f"{rpc.service}/{rpc.name}") in NOT_OFFERED]
    assert not needless, f"these are answered, and need no reason: {needless}"
