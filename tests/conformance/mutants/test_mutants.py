"""Defects planted in plugins, in hosting and in the routing to agents: each must be found, ours must pass."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from alula.testing.kit import Grade, verify
from tests.conformance.mutants import hosting, routing
from tests.conformance.mutants.hosting import Hosted, hunt
from tests.conformance.mutants.plugins import PLANTED, Planted, harness_of
from tests.sim.mutants import PACKAGE, plant

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.plugin.__name__)
def test_a_plugin_with_a_defect_is_graded_f_with_a_run_that_shows_why(planted: Planted) -> None:
    report = verify(harness_of(planted), pairs=0, seconds=120.0)  # until it is found
    assert report.grade is Grade.F
    assert report.worst is not None
    assert "counterexample" in report.text()


@pytest.mark.parametrize("hosted", [*hosting.MUTANTS, *routing.MUTANTS], ids=lambda hosted: hosted.name)
def test_a_bug_to_plant_still_has_its_place(hosted: Hosted) -> None:
    assert (PACKAGE / hosted.mutant.file).read_text().count(hosted.mutant.old) == 1


@pytest.mark.parametrize("hosted", hosting.MUTANTS, ids=lambda hosted: hosted.name)
def test_a_bug_of_hosting_is_found_with_a_good_plugin(hosted: Hosted) -> None:
    assert hunt(hosted)


def test_versions_are_kept_apart_and_an_agent_that_is_down_keeps_its_types(tmp_path: Path) -> None:
    assert asyncio.run(routing.faults(tmp_path)) == []


@pytest.mark.parametrize("hosted", routing.MUTANTS, ids=lambda hosted: hosted.name)
def test_a_bug_of_the_routing_to_agents_is_found(hosted: Hosted, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        plant(hosted.mutant, Path(scratch))
        done = subprocess.run(
            [sys.executable, "-m", "tests.conformance.mutants.routing", str(tmp_path)],
            env={**os.environ, "PYTHONPATH": f"{scratch}:{ROOT}"},
            cwd=scratch,
            capture_output=True,
            text=True,
            check=True,
        )
    assert "has no route" in done.stdout


def test_all_five_defects_of_the_field_are_planted() -> None:
    found = {hosted.defect for hosted in [*hosting.MUTANTS, *routing.MUTANTS]}
    assert {"D1", "D2", "D3", "D4", "D5"} <= found
