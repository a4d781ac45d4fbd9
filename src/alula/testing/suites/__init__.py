"""Conformance suites: one class of tests per contract, for an implementer to subclass.

What lives here: classes of tests that know a contract and nothing of its implementations.
What does not: tests of Alula's own implementations (folder `tests/conformance`).
Who may import it: tests only.
Where to add one: `<contract>.py`, and its subclass for the built-ins in `tests/conformance`.
"""
