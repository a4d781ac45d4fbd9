"""Bytes: where they live and how they move.

What lives here: `ObjectStore` (bytes by URI) and its implementations, the layout of an attempt's files, code bundles.
What does not: Python types of values (room `types`), protobuf shapes (room `idl`).
Who may import it: `types` and everything above.
Where to add one: a scheme goes into `stores.py`; a file that an attempt reads or writes goes into `layout.py`.
"""
