"""The example runs for real, and what it is made of keeps its promises."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from alula import current_context, task
from alula.errors import ConversionError
from alula.sdk.serialize import serialize
from alula.testing.suites.transformer import TransformerSuite
from examples.digits import pipeline
from examples.digits.image_grid import ImageGrid, ImageGridTransformer
from examples.digits.pipeline import MODELS, Results, main
from examples.digits.threads import Threads

ROOT = Path(__file__).resolve().parents[2]
QUICK = [name for name in MODELS if name != "random trees"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no cached output of a former run answers."""
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def misread(results: Results) -> list[dict[str, str]]:
    with results.misread.open() as file:
        return list(csv.DictReader(file))


def test_the_best_model_reads_nearly_all_digits() -> None:
    results = main(models=QUICK)
    found = re.match(r"([a-z ]+) read (\d+) of 450 digits right", results.summary)
    assert found, results.summary
    assert found[1] in QUICK
    assert int(found[2]) >= 435
    assert len(misread(results)) == 450 - int(found[2])
    assert all(row["digit"] != row["guess"] for row in misread(results))


def test_a_target_that_no_model_reaches_lets_all_of_them_vote() -> None:
    assert main(models=QUICK, target=1.0).summary.startswith("the jury read ")


def test_the_seed_decides_which_scans_are_examined() -> None:
    one, other = (misread(main(models=["nearest centre"], seed=seed)) for seed in (1, 2))
    assert {row["scan"] for row in one} != {row["scan"] for row in other}


def test_a_table_with_a_shade_that_cannot_be_is_refused_with_its_row() -> None:
    table = pipeline.tabulate(scans=pipeline.read_scans())
    table.loc[3, "p44"] = 7.5
    with pytest.raises(ConversionError, match=r"row 3, column 'p44': 7\.5 fails less_than_or_equal_to\(1\)"):
        pipeline.split(table=table, seed=1)


@task(task_config=Threads(3))
def threads() -> list[int]:
    return [current_context().threads, *{pool["num_threads"] for pool in threadpool_info()}]


def test_the_plugin_limits_threads_and_lends_their_number() -> None:
    assert threads() == [3, 1]
    assert not current_context().has_attr("threads")


def test_the_limit_of_threads_is_registered_with_the_task() -> None:
    [spec] = serialize(threads).tasks.values()
    assert spec.template.custom["threads"] == 3


class TestImageGrid(TransformerSuite):
    transformers = (ImageGridTransformer(),)
    cases = (
        (ImageGrid, ImageGrid(np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5), ("a", "b", "ü"))),
        (ImageGrid, ImageGrid(np.zeros((1, 8, 8), np.uint8), ("",))),
        (ImageGrid, ImageGrid(np.full((17, 2, 3), 200, np.uint8), tuple(map(str, range(17))))),
    )
    wrong = ((ImageGrid, np.zeros((1, 8, 8), np.uint8)), (ImageGrid, None))

    def equal(self, value: Any, other: Any) -> bool:
        return value.captions == other.captions and np.array_equal(value.pixels, other.pixels)


def test_a_picture_that_is_no_grid_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(ConversionError, match="lacks the text field 'size'"):
        ImageGridTransformer().load(tmp_path / "plain.png", ImageGrid)


def test_captions_that_do_not_fit_the_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 captions do not fit pixels of shape"):
        ImageGrid(np.zeros((1, 8, 8), np.uint8), ("a", "b"))


def test_the_command_prints_the_findings_and_leaves_a_report(home: Path) -> None:
    command = [Path(sys.executable).with_name("alula"), "run", "examples/digits/pipeline.py", "main"]
    done = subprocess.run(
        [*command, "--target", "0.97"], cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"read \d+ of 450 digits", done.stdout), done.stdout
    [page] = (home / "data").glob("**/deck.html")
    assert str(page) in done.stdout + done.stderr
    html = page.read_text()
    assert {"Findings", "Confusions"} <= set(re.findall(r'role="tab"[^>]*>([^<]+)<', html))
    assert html.count("data:image/png;base64,") >= 3
