"""Warm workers: Python tasks in processes that are forked from one which has imported the user's modules.

`Pool` is the runner. On the engine's side there are, from the top down: `pool` (jobs), `admission` (which is next),
`crew` (which processes live), `keeper` and `line` (how one speaks to them); what they run is in room `runtime`, and
what both say is in `idl.worker`.
"""

from alula.backends.pool.crew import Start as Start
from alula.backends.pool.pool import Pool as Pool
from alula.backends.pool.pool import room_of as room_of

__all__ = ["Pool", "Start", "room_of"]
