"""Programs that say `import flytekit` run on Alula.

What lives here: an import hook and modules that mirror flytekit's paths with thin re-exports and adapters.
What does not: features. What flytekit offers and Alula lacks is built in its own room first; nothing outside this
room knows that it exists.
Who may import it: `cli`, and programs that ask for it (`python -m alula.compat FILE`, `alula.compat.install()`).
Where to add one: a missing name goes into the module here that has flytekit's path for it.

How it holds together: what a program gets from `flytekit` are objects of the classes below `alula.compat.flytekit`,
which have flytekit's attributes and methods. Each that can run holds an entity of Alula's own (`__alula_entity__`),
and hands calls on to it: promises, types, errors and literals are turned into the other side's on the way in and out.
"""

from alula.compat.hook import install, uninstall

__all__ = ["install", "uninstall"]
