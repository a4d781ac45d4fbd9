"""What tests use: ours, yours, and those of anyone who extends Alula.

What lives here: fakes of what Alula lends (clock, objects, answers for gates), and one conformance suite per contract.
What does not: tests (folder `tests`), switches that production code looks at.
Who may import it: tests only; no room of Alula.
Where to add one: a fake goes into `fakes.py`; a new contract brings `suites/<contract>.py`, a class of tests that an
implementer subclasses.
"""

from alula.testing.answers import gates
from alula.testing.mocks import patch, task_mock

__all__ = ["gates", "patch", "task_mock"]
