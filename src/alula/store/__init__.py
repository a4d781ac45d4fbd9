"""Durable truth: what executions there are, how far each is, and who may change it.

What lives here: records (frozen rows), the protocols that the rooms above see, the schema, and its two databases,
SQLite and Postgres.
What does not: what the rows mean (room `engine`), files and values (room `data`).
Who may import it: the engine, the control plane, the client, and everything above; never authoring code.
Where to add one: a fact is a column in `tables.py`, a field in `records.py`, and a migration.
"""
