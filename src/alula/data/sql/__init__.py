"""Databases: a statement with bound parameters in, its rows as Parquet out. The same for a task that is called here
and for the backend that an engine runs it with.

What lives here: how each kind of database is reached, sent a statement, stopped, and its types as Arrow's.
What does not: tasks (room `tasks`), attempts and pools (room `backends`).
Who may import it: `sdk`, `tasks`, `backends`. A client library is imported when a database of its kind is opened.
Where to add one: one new file with a `Driver`, and its line in `drivers.py`.
"""
