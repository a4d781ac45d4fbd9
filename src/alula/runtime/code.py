"""The user's code in a container: a bundle unpacked with suspicion, packages that an image asks for at its start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from alula._kits import bridge
from alula.data.archive import unpack
from alula.data.objects import ObjectStore
from alula.errors import ObjectNotFound, TaskFailure, UnsafeArchive
from alula.sdk.image_spec import RUNTIME_PACKAGES

_OURS = re.compile(r"(?:.*/)?([0-9a-f]{64})\.tar\.gz")
"""The name of a bundle of ours says what it holds: `Bundle.sha256`."""
_MOST_SAID = 4_000


def prepare(bundle: str, destination: str, store: ObjectStore, environ: Mapping[str, str]) -> None:
    """Put the user's code where Python finds it, this one and those that it starts.

    Args:
        bundle: The URI of a code bundle; empty: the image has the code.
        destination: Where to unpack it; empty: the working directory, or a new one if that is no place for it.

    Raises:
        TaskFailure: The bundle is missing, or refused; packages cannot be installed.
    """
    install(environ.get(RUNTIME_PACKAGES, "").split())
    here = os.path.abspath(os.path.expanduser(destination or "."))
    if bundle:
        if not destination and (here == os.sep or not os.access(here, os.W_OK)):
            here = tempfile.mkdtemp(prefix="alula-code-")
            os.chdir(here)
        _fetch(bundle, here, store)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, environ.get("PYTHONPATH", "")]))
        if here in sys.path:
            sys.path.remove(here)
    if here not in sys.path:
        sys.path.insert(0, here)


def install(packages: list[str]) -> None:
    """Have `pip` install packages into this interpreter. Raises TaskFailure."""
    if not packages:
        return
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *packages]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise TaskFailure(
            f"the packages {', '.join(packages)} could not be installed: {done.stdout.strip()[-_MOST_SAID:]}",
            where=f"environment variable {RUNTIME_PACKAGES}, of ImageSpec(runtime_packages=...)",
            fix="put them into packages=, so that they are in the image",
            code="USER:RuntimePackages",
        )


def _fetch(bundle: str, here: str, store: ObjectStore) -> None:
    named = _OURS.fullmatch(bundle)
    try:
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory) / "bundle.tar.gz"
            bridge.run(store.download(bundle, archive))
            unpack(archive, Path(here), sha256=named[1] if named else None)
    except ObjectNotFound as exc:
        raise TaskFailure(
            "the bundle with the code of the task is not there",
            where=bundle,
            fix="run or register the program anew, and keep what lies there for as long as tasks may need it",
            code="USER:CodeBundleMissing",
        ) from exc
    except UnsafeArchive as exc:
        raise TaskFailure(
            f"the bundle with the code of the task is refused: {exc.what}",
            where=bundle,
            fix=exc.fix,
            code="USER:CodeBundleRefused",
        ) from exc
