"""The versions of the schema, as Alembic knows them.

What lives here: Alembic's environment, and one file per version in `versions`.
What does not: the present schema (`alula.store.tables`), which must be what all of these make together.
Who may import it: Alembic only.
Where to add one: the next number in `versions`, and in `alula.store.versions.REVISIONS`.
"""
