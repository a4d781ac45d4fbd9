"""Statements on Snowflake, through its SQL API: started, followed and cancelled by their handles.

What lives here: the plugin, the client of the API, how it signs in, and how its rows become Arrow's.
What does not: the task (`alula.tasks.snowflake`), parameters and the connector (`alula.data.sql.snowflake`).
Who may import it: whoever loads backends, by the entry point `snowflake`.
Where to add one: another way to sign in is a class in `auth.py`.
"""
