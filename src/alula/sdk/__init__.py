"""Authoring: from Python functions to protobuf, and the plain local call.

What lives here: `@task`, `@workflow` and their kin, promises, the tracing of a workflow's body, the current context of
a running task, calls in this process without an engine, and `TaskPlugin`, the contract of a kind of task.
What does not: how one Python type becomes a literal (room `types`), kinds of task (room `tasks`), durable runs
(room `engine`), reading inputs inside a container (room `runtime`).
Who may import it: `tasks`, `runtime`, `client`, and everything above; never the server side.
Where to add one: a new kind of task is a file in room `tasks`. A new kind of node or a new construct of the authoring
language is one file here that produces flyteidl messages, and a name in `alula/__init__.py`.
"""
