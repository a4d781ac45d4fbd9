"""Seeds: some of all, those that found something once, and that a seed says the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from alula.testing.sim.story import explore
from tests.sim.mutants import MUTANTS, PACKAGE, Mutant

# What each of them found, in a line. They stay, so that it is not found again.
FOUND = {
    71: "a paused engine's workers ran on while another engine began their attempts anew",
    368: "a report that came after the last commit of an engine that stopped found nobody to take it",
    811: "the same, with local workers",
    211: "an engine that had been paused wrote its outputs over those that another one had acknowledged",
    288: "a claim took effect, its answer was lost, and nobody could have the execution any more",
    299: "the same",
    481: "the same, with commands in the inbox",
    20132: "an engine that was cut off went on renewing the reservations of executions that it had lost",
    30396: "a signal was set while its engine did not reach the store, and the word of it was lost",
    41793: "a node that found its outputs in the cache kept the reservation that it had been given meanwhile",
}


@pytest.mark.parametrize("chunk", range(6))
def test_nothing_is_lost_doubled_or_left_whatever_goes_wrong(chunk: int) -> None:
    faults = {seed: found for seed in range(50 * chunk, 50 * chunk + 50) if (found := explore(seed).faults)}
    assert not faults, f"python -m alula.testing.sim --seed {next(iter(faults))} shows how"


@pytest.mark.parametrize("seed", FOUND)
def test_what_a_seed_found_once_is_not_found_again(seed: int) -> None:
    assert explore(seed).faults == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_to_plant_still_has_its_place(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.file).read_text().count(mutant.old) == 1


@pytest.mark.parametrize("seed", [4, 71, 205])
def test_a_seed_tells_the_same_story_in_every_process(seed: int) -> None:
    told = []
    for hash_seed in ("0", "1", "4711"):
        command = [sys.executable, "-m", "alula.testing.sim", "--seed", str(seed)]
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told.append(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)
    assert told[0] == told[1] == told[2]
    assert told[0].splitlines()[:-3] == explore(seed).log
