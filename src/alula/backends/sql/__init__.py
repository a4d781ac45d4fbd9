"""Statements on Postgres, MySQL and MariaDB, DuckDB and SQLite: one per attempt, each on a connection of its own.

What lives here: the plugin, and the thread that runs a statement.
What does not: how a database is spoken to (`alula.data.sql`), the tasks (`alula.tasks.databases`).
Who may import it: whoever loads backends, by the entry point `sql`.
Where to add one: a new kind of database is a driver in `alula.data.sql`.
"""
