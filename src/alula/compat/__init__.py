"""Programs that say `import flytekit` run on Alula.

What lives here: an import hook and modules that mirror flytekit's paths with thin re-exports and subclasses.
What does not: features. What flytekit offers and Alula lacks is built in its own room first; nothing outside this
room knows that it exists.
Who may import it: `cli`, and programs that ask for it (`python -m alula.compat FILE`, `alula.compat.install()`).
Where to add one: a missing name goes into the module here that has flytekit's path for it.
"""
