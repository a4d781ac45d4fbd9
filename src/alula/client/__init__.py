"""The Python client: run what a program holds, look at it, and steer it, from sync and from async code.

What lives here: `AsyncClient` and its sync face `Client`, what an entity needs to be run (its specs, its inputs as
literals, where its code lies), and outputs as Python values.
What does not: the verbs themselves (room `admin`), the engine that a client brings along (put together in `serve`),
how anything is printed (room `cli`).
Who may import it: `cli` and `compat`; users, through `alula.Client`.
Where to add one: a verb is an async method of `AsyncClient` or `AsyncRun` over a function of `admin`, and one line in
its sync face.
"""
