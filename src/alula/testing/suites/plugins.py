"""What every backend plugin must live through. Subclass it, and say how to make its harness:

class TestMyPlugin(PluginConformance):
    harness = MyHarness
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from alula.testing.kit import Grade, Harness, Report, verify


class PluginConformance:
    """Conformance of a plugin: everything that can go wrong at each of its calls, with the real engine."""

    harness: ClassVar[type[Harness]]
    grade: ClassVar[Grade] = Grade.A
    """What is expected."""
    seed: ClassVar[int] = 0
    pairs: ClassVar[int] = 300
    """How many pairs of faults are tried."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        """What the verification came to; made once for all tests of the class."""
        return verify(cls.harness(), seed=cls.seed, pairs=cls.pairs)

    def test_it_keeps_its_promises_whatever_goes_wrong(self, report: Report) -> None:
        assert report.ok, report.text()

    def test_it_has_the_grade_that_is_said_of_it(self, report: Report) -> None:
        assert report.grade is self.grade, report.text()

    def test_something_went_wrong_at_every_call(self, report: Report) -> None:
        assert report.points > 0, "no fault was tried: does the harness have a plugin and a case?"
