"""The compiler: a workflow template and its task templates in, a compiled closure or every fault of it out.

What lives here: the checks that need the whole workflow (each edge castable, each input bound, no cycle) and the
assembly of `CompiledWorkflowClosure`. Pure functions over protobuf, so that the SDK checks before a run, the control
plane at registration and a dynamic node at run time with the very same code.
What does not: Python types and functions (rooms `types`, `sdk`), I/O, deciding what runs next (room `engine`).
Who may import it: `sdk`, and everything above.
Where to add one: a check of an edge goes into `bindings.py`, of a kind of node into `nodes.py` (of a branch's condition
into `conditions.py`), of the graph into `graph.py`, of a workflow as a whole into `compile.py`. It adds to the list of
faults and never raises on the first.
"""
