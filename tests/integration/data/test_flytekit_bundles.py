"""Code bundles that real flytekit makes are unpacked here, and ours there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from alula.data.bundle import pack, unpack

PACKAGE = """
import sys
from flytekit.constants import CopyFileDetection
from flytekit.tools.fast_registration import FastPackageOptions, fast_package
options = FastPackageOptions([], copy_style=CopyFileDetection.ALL)
print(fast_package(sys.argv[1], sys.argv[2], deref_symlinks=False, options=options))
"""
UNPACK = """
import sys
from flytekit.tools.fast_registration import download_distribution
download_distribution(sys.argv[1], sys.argv[2])
"""


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, text in {
        "wf.py": "x = 1\n",
        "pkg/__init__.py": "",
        "pkg/ümlaut.txt": "ü",
        "run.sh": "#!/bin/sh\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "run.sh").chmod(0o755)
    (root / "link.py").symlink_to("wf.py")
    return root


def test_a_bundle_of_flytekit_is_unpacked(flytekit_python: Path, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    made = subprocess.run(
        [flytekit_python, "-c", PACKAGE, tree, tmp_path / "out"], capture_output=True, text=True, check=True
    )
    unpack(Path(made.stdout.split()[-1]), tmp_path / "copy")
    assert files(tmp_path / "copy") == files(tree)
    assert os.access(tmp_path / "copy/run.sh", os.X_OK)


def test_flytekit_unpacks_our_bundle(flytekit_python: Path, tree: Path, tmp_path: Path) -> None:
    bundle = pack(tree, tmp_path / "out")
    (tmp_path / "copy").mkdir()
    subprocess.run([flytekit_python, "-c", UNPACK, bundle.path, tmp_path / "copy"], capture_output=True, check=True)
    (tmp_path / "copy" / bundle.path.name).unlink()
    assert files(tmp_path / "copy") == files(tree)
    assert os.access(tmp_path / "copy/run.sh", os.X_OK)
