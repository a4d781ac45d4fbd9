"""The commands: `alula run` and its sisters.

What lives here: one file per command, the reading of typed flags from an interface, printing, exit codes.
What does not: anything a program would want to call; a command is a thin shell around a function of a lower room.
Who may import it: nobody.
Where to add one: one new file with a click command and a line in the table of `main.py`; out of tree, an entry point
in the group `alula.cli`.
"""
