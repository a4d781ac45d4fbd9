from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alula.errors import ConversionError, PluginError, Unknown
from alula.idl import LiteralMap, literals
from alula.testing.kit import Case, Fault, Grade, Kind
from alula.testing.kit.clouds import BlindPlugin, CloudHarness, CloudPlugin, KeyedPlugin
from alula.testing.kit.explore import verify
from alula.testing.kit.faults import KINDS, calls_of, kinds_of
from alula.testing.kit.found import harnesses_of
from alula.testing.kit.report import counterexample
from alula.testing.kit.scenarios import SCENARIOS, Abort
from alula.testing.kit.scene import Scene

SUCCEEDS = SCENARIOS[0]


class BlindHarness(CloudHarness):
    def plugin(self, remote):  # type: ignore[no-untyped-def]
        return BlindPlugin(remote)


def test_a_run_without_faults_shows_every_call_that_is_made() -> None:
    outcome = Scene(CloudHarness(), SUCCEEDS).play()
    made = {call for call, _ in outcome.calls}
    assert outcome.breaches == []
    assert made == {"open", "create", "get", "phase", "outputs", "delete"}


@pytest.mark.parametrize("kind", KINDS["create"])
def test_whatever_happens_to_a_create_there_is_one_job(kind: Kind) -> None:
    outcome = Scene(CloudHarness(), SUCCEEDS, (Fault("create", 1, kind),)).play()
    assert outcome.breaches == []
    assert [fault.kind for fault in outcome.met] == [kind]


def test_the_same_run_tells_the_same_story() -> None:
    faults = (Fault("create", 1, Kind.KILLED_AFTER), Fault("find", 1, Kind.LOST))
    first, second = (Scene(CloudHarness(), SUCCEEDS, faults, mark="again").play() for _ in range(2))
    assert first.story == second.story
    assert first.engines == 2


def test_a_run_tells_the_same_story_in_every_process() -> None:
    code = (
        "from alula.testing.kit import Fault, Kind\n"
        "from alula.testing.kit.clouds import BusyHarness\n"
        "from alula.testing.kit.scenarios import SCENARIOS\n"
        "from alula.testing.kit.scene import Scene\n"
        "print('\\n'.join(Scene(BusyHarness(), SCENARIOS[1], (Fault('create', 2, Kind.KILLED_LATE),)).play().story))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]
    assert told[0] == told[1]
    assert "killed" in told[0]


def test_a_job_that_nobody_can_find_is_seen_to_live_on() -> None:
    scenario = next(one for one in SCENARIOS if one.abort is Abort.RUNNING)
    outcome = Scene(BlindHarness(), scenario, (Fault("create", 1, Kind.KILLED_AFTER),)).play()
    assert outcome.misses > 0
    assert outcome.breaches != []
    assert any("engine0 is killed" in line for line in counterexample(outcome))


def test_an_engine_is_killed_at_the_label_that_is_asked_for() -> None:
    outcome = Scene(CloudHarness(), SUCCEEDS, crash_at=("commit.after", 2)).play()
    assert outcome.breaches == []
    assert any("killed at commit.after" in line for line in outcome.story)


def test_a_create_is_made_twice_only_where_that_is_harmless() -> None:
    cloud = CloudHarness().remote()
    assert Kind.TWICE not in kinds_of(CloudPlugin(cloud), "create")  # type: ignore[arg-type]
    assert Kind.TWICE in kinds_of(KeyedPlugin(cloud), "create")  # type: ignore[arg-type]
    assert set(calls_of(CloudPlugin(cloud))) <= set(KINDS)  # type: ignore[arg-type]


def test_a_case_compares_outputs_by_value() -> None:
    case = Case("t", outputs={"n": 1, "names": ["a"]})
    right = {"n": literals.integer(1), "names": literals.collection([literals.string("a")])}
    assert case.fits(LiteralMap(literals=right))
    assert not case.fits(LiteralMap(literals={**right, "n": literals.integer(2)}))
    assert not case.fits(LiteralMap(literals={"n": literals.integer(1)}))


def test_a_value_that_is_not_plain_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConversionError, match="template"):
        Case("t", inputs={"x": object()}).task("name")


def test_a_refusal_fails_the_task_at_the_users_cost() -> None:
    outcome = Scene(CloudHarness(), SUCCEEDS, (Fault("create", 1, Kind.REJECTED),)).play()
    assert outcome.breaches == []
    assert any("has ended: failed" in line for line in outcome.story)


def test_a_harness_is_found_in_the_module_conformance_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "acme_kit_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "conformance.py").write_text(
        "from alula.testing.kit.clouds import CloudHarness\n\n\nclass Mine(CloudHarness):\n    pass\n"
    )
    (tmp_path / "acme_kit_broken.py").write_text("import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = harnesses_of("acme-kit-test")
    assert found.name == "Mine"
    (named,) = harnesses_of("acme_kit_test.conformance:Mine")
    assert type(named) is type(found)
    with pytest.raises(Unknown, match="no harness"):
        harnesses_of("acme_no_such_package")
    with pytest.raises(PluginError, match="nothing_of_that_name"):
        harnesses_of("acme_kit_broken")
    sys.modules.pop("acme_kit_test", None)


def test_a_report_says_the_same_to_people_and_machines() -> None:
    class Careless(CloudPlugin):
        async def delete(self, key):  # type: ignore[no-untyped-def]
            return None

    class Harness(CloudHarness):
        def plugin(self, remote):  # type: ignore[no-untyped-def]
            return Careless(remote)

    report = verify(Harness(), pairs=0)
    assert report.grade is Grade.F
    plain = report.plain()
    assert plain["grade"] == "F"
    assert plain["counterexample"]["breaches"][0]["what"] in report.text()
