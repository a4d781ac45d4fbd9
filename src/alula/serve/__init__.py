"""The composition root: settings in, an engine with its store, its workers and its observers out.

What lives here: opening the store and the data, putting engine and runners together, finding the code of an execution
again (`code`), and which workers run which program (`programs`).
What does not: decisions about executions (room `engine`), verbs (room `admin`), anything that prints.
Who may import it: `client`, `cli`, tests.
Where to add one: a runner for a new kind of task, or an observer of the engine, is put together with the others in
`house`.
"""
