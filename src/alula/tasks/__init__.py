"""Kinds of task: one file per kind.

What lives here: task plugins (a config class and what it puts into the template, or around the user's function) and
prebuilt-container tasks (the template holds everything, an executor turns template and inputs into outputs).
What does not: the contracts `TaskPlugin` and `PrebuiltTask` (room `sdk`), the side that runs them remotely (room
`backends`). Both sides meet in the wire message only.
Who may import it: `compat`, `cli`, and users. Kinds of task do not know each other.
Where to add one: one new file with a config dataclass and a plugin class; out of tree, the same file in your package
and an entry point in the group `alula.tasks`.
"""
