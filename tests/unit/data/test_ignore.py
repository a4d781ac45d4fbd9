"""The rules of gitignore files; git itself is the judge."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.data.ignore import ignored, parse


@pytest.mark.parametrize(
    ("rules", "path", "directory", "expected"),
    [
        ("*.pyc", "a/b.pyc", False, True),
        ("build", "a/build", True, True),
        ("build/", "build", False, False),
        ("build/", "build", True, True),
        ("/build", "a/build", True, False),
        ("a/b", "x/a/b", False, False),
        ("**/b", "x/a/b", False, True),
        ("a/**", "a/x/y", False, True),
        ("a/**", "a", True, False),
        ("a/**/z", "a/z", False, True),
        ("*.log\n!keep.log", "keep.log", False, False),
        ("!keep.log\n*.log", "keep.log", False, True),
        ("# comment\n\n", "# comment", False, False),
        (r"\#x", "#x", False, True),
        (r"\!x", "!x", False, True),
        ("x  ", "x", False, True),
        ("x\\ ", "x ", False, True),
        ("[ab]c", "bc", False, True),
        ("[!ab]c", "bc", False, False),
        ("[a-c]", "b", False, True),
        ("[open", "[open", False, False),
        ("a?c", "a/c", False, False),
    ],
)
def test_rules_of_gitignore(rules: str, path: str, directory: bool, expected: bool) -> None:
    assert ignored(path, directory=directory, rules=parse(rules)) is expected


def test_a_deeper_file_wins_and_holds_only_for_its_directory() -> None:
    rules = parse("*.csv") + parse("!/keep.csv", "data/")
    assert not ignored("data/keep.csv", directory=False, rules=rules)
    assert ignored("data/deep/keep.csv", directory=False, rules=rules)
    assert ignored("keep.csv", directory=False, rules=rules)


letters = st.sampled_from([*list("ab.*?/[]!-\\ #"), "**", "**/", "/**", "[a-b]", "[!a]", "[^b]"])
# Git cuts the literal start off a pattern before it looks at `**`, so that its `a**/b` ignores `ab`. We do not.
line = st.lists(letters, min_size=1, max_size=6).map("".join).filter(lambda text: not re.search(r"[^/*!]\*\*", text))
lines = st.lists(line, min_size=1, max_size=3)
PATHS = [
    "a", "b", "ab", "ba", ".a", "a.b", "#", "!", "-", "[", "a b",
    "d/a", "d/ab", "d/d/a", "d/d/.b", "d/b/a.b", "e/a/b/ab", "e/a/ba",
]  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    return root


@given(rules=lines)
@settings(max_examples=150)
def test_git_ignores_the_same_files(repository: Path, rules: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join(rules) + "\n")
    asked = subprocess.run(
        ["git", "-c", "core.excludesFile=", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=repository,
        input="\0".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    compiled = parse("\n".join(rules))

    def ours(path: str) -> bool:
        parts = path.split("/")
        parents = ["/".join(parts[:i]) for i in range(1, len(parts))]
        return any(ignored(parent, directory=True, rules=compiled) for parent in parents) or ignored(
            path, directory=False, rules=compiled
        )

    assert [path for path in PATHS if ours(path)] == [path for path in PATHS if path in asked.stdout.split("\0")]
