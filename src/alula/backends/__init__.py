"""Places where tasks run: each implements a contract of room `plugin`, and knows nothing of the engine.

What lives here: one module or package per place; `pool`, the warm workers of this machine.
What does not: what a task does (rooms `sdk` and `runtime`: user code never runs in an engine's process), when it runs
(room `engine`).
Who may import it: `serve`, `cli`, `testing`: whoever puts an engine together. Backends do not know each other.
Where to add one: a new file or package here that implements `plugin.runner.Runner`.
"""
