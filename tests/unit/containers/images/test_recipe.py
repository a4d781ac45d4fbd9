from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.containers.images.context import Context
from alula.containers.images.recipe import Recipe
from alula.containers.images.wheel import of_alula
from alula.errors import ConfigError

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"))


def steps(recipe: Recipe) -> list[str]:
    return recipe.dockerfile.splitlines()


def test_what_changes_seldom_comes_first() -> None:
    made = Recipe(
        "python:3.12-slim",
        variables={"B": "2", "A": "1"},
        apt=["git"],
        requirements=True,
        packages=["pandas>=2"],
        pip_options=["--index-url", "https://example.org/simple"],
        wheel="alula-1-py3-none-any.whl",
        files=True,
        commands=["make all"],
        marks={"ID": "x"},
        entrypoint=["/bin/tini", "--"],
    )
    kinds = [re.split(r"[ =]", line)[0] for line in steps(made)]
    assert kinds == "FROM ENV WORKDIR RUN COPY RUN COPY RUN RUN COPY RUN ENV ENTRYPOINT".split()
    assert steps(made)[1] == 'ENV A="1" B="2"'
    assert steps(made)[-1] == 'ENTRYPOINT ["/bin/tini", "--"]'
    assert [*json.loads(steps(made)[8].removeprefix("RUN "))[-3:]] == [
        "--index-url",
        "https://example.org/simple",
        "pandas>=2",
    ]


@given(st.lists(WORDS, max_size=3), st.lists(WORDS, max_size=3))
def test_no_word_ends_its_step(packages: list[str], commands: list[str]) -> None:
    made = Recipe("base:1", packages=packages, commands=commands)
    runs = [json.loads(line.removeprefix("RUN ")) for line in steps(made) if line.startswith("RUN ")]
    assert len(steps(made)) == 2 + len(runs)
    asked = [packages] * bool(packages) + [[command] for command in commands]
    assert [run[-len(words) :] for run, words in zip(runs, asked, strict=True)] == asked


@given(LINES)
def test_values_of_variables_are_taken_as_they_are(value: str) -> None:
    [line] = [
        line for line in Recipe("base:1", variables={"A": value}).dockerfile.split("\n") if line.startswith("ENV")
    ]
    quoted = re.fullmatch(r'ENV A="((?:[^"\\$]|\\["\\$])*)"', line)
    assert quoted is not None
    assert re.sub(r'\\(["\\$])', r"\1", quoted[1]) == value


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("base:1\nRUN evil"), "must be one word"),
        (Recipe("base:1", variables={"A B": "1"}), "no name of an environment variable"),
        (Recipe("base:1", variables={"A": "1\nRUN evil"}), "more than one line"),
    ],
)
def test_what_a_dockerfile_cannot_say_is_refused(recipe: Recipe, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = recipe.dockerfile


def test_equal_content_is_one_context_whatever_its_times(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("1")
    made = Context(Recipe("base:1", files=True), files={"in/a.txt": file})
    before, archive = made.digest(), io.BytesIO()
    made.write(archive)
    file.write_text("1")
    assert made.digest() == before
    file.chmod(0o755)
    assert made.digest() != before
    file.write_text("2")
    file.chmod(0o644)
    assert made.digest() != before
    archive.seek(0)
    with tarfile.open(fileobj=archive) as read:
        assert read.getnames() == ["Dockerfile", "files/in/a.txt"]


def test_files_of_a_context_stay_below_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    with pytest.raises(ConfigError, match="no place below"):
        Context(Recipe("base:1", files=True), files={"../a": tmp_path / "a"}).write(io.BytesIO())


def test_the_wheel_of_alula_is_one_that_python_can_run(tmp_path: Path) -> None:
    made = of_alula()
    assert made == of_alula()
    path = tmp_path / made.name
    path.write_bytes(made.content)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert "alula/py.typed" in names
    assert not [name for name in names if name.endswith(".pyc")]
    code = "import alula, importlib.metadata as m; print(alula.__file__, m.distribution('alula').version)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(path))
