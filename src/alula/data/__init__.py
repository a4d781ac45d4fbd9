"""Bytes: where they live and how they move.

What lives here: `ObjectStore` (bytes by URI) and `Objects`, which serves all schemes; the layout of an attempt's files;
code bundles and archives; the local workspace of a task.
What does not: Python types of values (room `types`), protobuf shapes (room `idl`).
Who may import it: `types` and everything above.
Where to add one: a scheme is a new file with a class that is a `scheme.Scheme`, and a line in `stores.py`; a file that
an attempt reads or writes goes into `layout.py`.
"""
