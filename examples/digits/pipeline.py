"""Handwritten digits: which model reads them best, and which digits does it confuse?

The data are the 1,797 scans of 8 x 8 pixels that scikit-learn ships. Run it:

    alula run examples/digits/pipeline.py main
    alula run examples/digits/pipeline.py main --target 0.999    # no model is that good alone: let them vote
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from html import escape
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, VotingClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from alula import Cache, Deck, File, ImageRenderer, conditional, current_context, map_task, task, workflow
from examples.digits.drawing import confusion_figure, grid_figure, scores_figure
from examples.digits.image_grid import ImageGrid
from examples.digits.tables import Confusion, Findings, Readings, Score, Shades
from examples.digits.threads import Threads

CLASSIFIERS = {
    "nearest centre": NearestCentroid(),
    "nearest neighbours": KNeighborsClassifier(3, weights="distance"),
    "random trees": ExtraTreesClassifier(100, random_state=0),
    "support vectors": SVC(C=10),
}
MODELS = list(CLASSIFIERS)


class Halves(NamedTuple):
    """Scans to learn from, and scans that no model has seen."""

    study: DataFrame[Shades]
    exam: DataFrame[Shades]


class Results(NamedTuple):
    """What the workflow gives."""

    summary: str
    misread: File[Literal["csv"]]


@task(cache=Cache(version="1"), retries=2)
def read_scans() -> ImageGrid:
    """The scans, dark on light, each with the digit that was meant as its caption."""
    shades, digits = load_digits(return_X_y=True)
    pixels = 255 - np.round(np.reshape(shades, (-1, 8, 8)) * (255 / 16)).astype(np.uint8)
    return ImageGrid(pixels, tuple(str(digit) for digit in digits))


@task
def tabulate(scans: ImageGrid) -> DataFrame[Shades]:
    """The scans as numbers, a row for each."""
    names = [f"p{row}{column}" for row in range(8) for column in range(8)]
    table = pd.DataFrame(1 - scans.pixels.reshape(len(scans), -1) / 255, columns=names)
    table.insert(0, "scan", range(len(scans)))
    table.insert(1, "digit", [int(caption) for caption in scans.captions])
    return DataFrame[Shades](table)


@task
def split(table: DataFrame[Shades], seed: int) -> Halves:
    """Three quarters of the scans to learn from and a quarter for the exam, with all digits in both."""
    study, exam = train_test_split(table, test_size=0.25, random_state=seed, stratify=table["digit"])
    return Halves(DataFrame[Shades](study), DataFrame[Shades](exam))


@task(task_config=Threads(2))
def score(model: str, table: DataFrame[Shades]) -> Score:
    """How well one model reads scans that it has not seen, in five rounds."""
    threads = current_context().threads  # lent by the plugin behind Threads
    rounds = cross_val_score(with_name(model, CLASSIFIERS[model]), shades(table), table["digit"], cv=5, n_jobs=threads)
    return Score(model, float(rounds.mean()), float(rounds.std()))


@task
def choose(scores: list[Score]) -> Score:
    """The score of the best model."""
    return max(scores, key=lambda one: one.accuracy)


@task(task_config=Threads(2))
def train(name: str, table: DataFrame[Shades]) -> Pipeline:
    """One model that has learned all it can."""
    return with_name(name, CLASSIFIERS[name]).fit(shades(table), table["digit"])


@task(task_config=Threads(2))
def train_jury(names: list[str], table: DataFrame[Shades]) -> Pipeline:
    """All models as one, which reads what most of them read."""
    jury = VotingClassifier([(name, CLASSIFIERS[name]) for name in names])
    return with_name("the jury", jury).fit(shades(table), table["digit"])


@task
def take_exam(model: Pipeline, table: DataFrame[Shades]) -> DataFrame[Readings]:
    """What the model reads, beside what was meant."""
    return DataFrame[Readings](table[["scan", "digit"]].assign(guess=model.predict(shades(table))))


@task
def sum_up(model: Pipeline, readings: DataFrame[Readings]) -> Findings:
    """How many scans were read right, and what was confused most often."""
    wrong = readings[readings["digit"] != readings["guess"]]
    pairs = Counter(zip(wrong["digit"], wrong["guess"], strict=True))
    confusions = [Confusion(digit, guess, times) for (digit, guess), times in pairs.most_common()]
    [*_, (name, _)] = model.steps
    return Findings(name, len(readings), len(readings) - len(wrong), confusions)


@task
def pick_misread(scans: ImageGrid, readings: DataFrame[Readings]) -> ImageGrid:
    """The scans that were read wrong, captioned with what happened."""
    wrong = readings[readings["digit"] != readings["guess"]]
    captions = tuple(f"{digit} read as {guess}" for digit, guess in zip(wrong["digit"], wrong["guess"], strict=True))
    return ImageGrid(scans.chosen(list(wrong["scan"])).pixels, captions)


@task
def list_misread(readings: DataFrame[Readings]) -> File[Literal["csv"]]:
    """The scans that were read wrong, as a file for people who want to look closer."""
    file = File[Literal["csv"]].new("misread.csv")
    readings[readings["digit"] != readings["guess"]].to_csv(file, index=False)
    return file


@task(enable_deck=True)
def report(
    findings: Findings, scores: list[Score], best: Score, readings: DataFrame[Readings], misread: ImageGrid
) -> str:
    """What was found, in words; and as an HTML page with pictures."""
    draw = ImageRenderer().to_html
    ranking, mistakes = draw(scores_figure(scores, best.model)), draw(grid_figure(misread))
    counts = confusion_matrix(readings["digit"], readings["guess"], labels=range(10))
    Deck("Findings", f"<h2>{escape(findings.result)}</h2>{ranking}<h3>Read wrong</h3>{mistakes}")
    Deck("Confusions", f"<h3>Which digit was read as which</h3>{draw(confusion_figure(counts))}")
    before = ", ".join(f"{one.model} {one.accuracy:.1%}" for one in scores)
    return f"{findings.result}\nread wrong: {findings.mistakes}\nin five rounds before: {before}"


@workflow
def main(models: list[str] = MODELS, target: float = 0.98, seed: int = 7) -> Results:
    """Let models compete, train the best one, and look at its mistakes.

    Args:
        models: Who takes part.
        target: The accuracy that the best model must reach; if it does not, all models vote.
        seed: Decides which scans are kept for the exam.
    """
    scans = read_scans()
    halves = split(table=tabulate(scans=scans), seed=seed)
    scores = map_task(partial(score, table=halves.study))(model=models)
    best = choose(scores=scores)
    model = (
        conditional("good enough")
        .if_(best.accuracy >= target)
        .then(train(name=best.model, table=halves.study))
        .else_()
        .then(train_jury(names=models, table=halves.study))
    )
    readings = take_exam(model=model, table=halves.exam)
    findings = sum_up(model=model, readings=readings)
    misread = pick_misread(scans=scans, readings=readings)
    summary = report(findings=findings, scores=scores, best=best, readings=readings, misread=misread)
    return Results(summary, list_misread(readings=readings))


def with_name(name: str, classifier: BaseEstimator) -> Pipeline:
    """A model that sees the 30 main components of a scan, and keeps its name for the report."""
    return Pipeline([("components", PCA(30, random_state=0)), (name, classifier)])


def shades(table: DataFrame[Shades]) -> DataFrame[Shades]:
    """The columns that a model may see."""
    return table.filter(regex="^p")
