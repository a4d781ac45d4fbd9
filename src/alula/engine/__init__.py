"""The engine: what happens next in an execution, and the driver that makes it happen.

What lives here: the pure decision core (`machine`, `nodes/`: rows and an event in, changed rows and commands out),
the plan it works from, its rows, events and commands, and the invariants that must hold whatever happens. Around it
the driver: `driver` has executions by a `lease`, one `session` each with an `inbox`; `effects` performs commands
(`attempts`, `launch`, `cleanup`, `timers`, `values`, `memo`), `codec` packs rows, `observe` tells those who watch,
`crash` names where to die.
What does not: user code, Python types of values, SQL (room `store`), the plugin contracts (room `plugin`).
Who may import it: `admin`, `console`, `testing`, `serve`, `cli`.
Where to add one: a kind of node is a file in `nodes/` and a case in `machine.py`; a rule about retries goes into
`retry.py`; anything with an `if` about the graph belongs to `nodes/`, never to the driver; an effect on the outside
is a case in `effects.py`, between two crash points.
"""
