"""What runs inside the container: one task attempt, from `inputs.pb` to `outputs.pb` or `error.pb`.

What lives here: the command `alula-execute`, the reading of its arguments (also those that flytekit writes), the
boundary that turns any exception into an error document with its kind and origin.
What does not: what a task does with its values (room `sdk`), where files live (room `data`), whether an attempt is
tried again (room `engine`).
Who may import it: `testing`, `compat`, `cli`. It imports no server code, so that containers start fast.
Where to add one: a new file that an attempt writes is named in `data/layout.py` and written by the entry point; a new
way to find a task again is a resolver in room `sdk`.
"""
