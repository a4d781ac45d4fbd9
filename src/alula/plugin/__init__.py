"""Contracts between the engine and what runs tasks: data, protocols and ABCs only.

What lives here: what an attempt is and how it is named, how it ends, and what the engine asks of whatever runs it.
What does not: anything that runs (room `backends`), anything that decides (room `engine`), the rows (room `store`).
Who may import it: the engine, backends, the runtime, and everything above; authors of backends import it by name.
Where to add one: a new kind of backend contract is a file here; a place to run is a file in `backends`.
"""
