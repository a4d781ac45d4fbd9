"""What tests use: ours, yours, and those of anyone who extends Alula.

What lives here: fakes of what Alula lends (clock, objects, answers for gates), simulations of the whole engine, and one
conformance suite per contract.
What does not: tests (folder `tests`), switches that production code looks at.
Who may import it: tests only; no room of Alula.
Where to add one: a fake is a file of its own; a fault that the engine must live through goes into `sim/`; a new
contract brings `suites/<contract>.py`, a class of tests that an implementer subclasses.
"""

from typing import TYPE_CHECKING

from alula._kits.lazy import exports
from alula.testing.answers import gates
from alula.testing.mocks import patch, task_mock

if TYPE_CHECKING:
    from alula.testing.kit import Case, Grade, Harness, Nowhere, Remote, Report, verify
    from alula.testing.simulation import CALM, STORM, SimulatedRun, Simulation

__all__ = [
    "CALM",
    "STORM",
    "Case",
    "Grade",
    "Harness",
    "Nowhere",
    "Remote",
    "Report",
    "SimulatedRun",
    "Simulation",
    "gates",
    "patch",
    "task_mock",
    "verify",
]

# They bring the engine along, which tests that call functions do without.
_LATE = "CALM STORM SimulatedRun Simulation"
_KIT = "Case Grade Harness Nowhere Remote Report verify"
__getattr__, __dir__ = exports(
    __name__,
    dict.fromkeys(_LATE.split(), "alula.testing.simulation") | dict.fromkeys(_KIT.split(), "alula.testing.kit"),
)
