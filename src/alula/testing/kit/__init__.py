"""The conformance kit: a plugin against the real engine, with everything that can go wrong at every one of its calls.

`verify(harness)` gives a `Report` with a grade; docs/how-to/verify-a-plugin.md shows how to write a `Harness`, and
docs/explanation/proofs.md says what a grade is worth.
"""

from alula.testing.kit.explore import verify
from alula.testing.kit.faults import Fault, Kind
from alula.testing.kit.harness import Case, Harness, Nowhere, Remote
from alula.testing.kit.report import Grade, Report

__all__ = ["Case", "Fault", "Grade", "Harness", "Kind", "Nowhere", "Remote", "Report", "verify"]
