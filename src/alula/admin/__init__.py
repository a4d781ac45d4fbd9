"""What people ask of the engine, as plain coroutines over the store: create, abort, answer, explain, clean up.

What lives here: checking what is asked for, writing it down as rows and commands, and reading rows for people. The
command line, the Python client and servers share it, so a verb behaves the same whoever speaks it.
What does not: running anything (room `engine`), how it is shown (rooms `cli`, `console`), tables (room `store`).
Who may import it: `serve`, `client`, `cli` and what is above; nothing of the authoring side is imported here.
Where to add one: a verb is a function in the file of its subject. Its faults are `RequestError`s that say what, where
and how to fix it, all faults of one request at once.
"""
