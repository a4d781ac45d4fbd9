"""Leaf helpers, each usable without Alula.

What lives here: the sync facade over async, lazy imports and entry points, the clock, bounded gather.
What does not: anything that knows a task, a literal or a URI.
Who may import it: every room but `errors`.
Where to add one: a new file, once two rooms need it.
"""
