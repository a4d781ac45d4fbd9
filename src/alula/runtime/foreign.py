"""Begins a keeper in an interpreter that has flytekit and not Alula. Run by its path, and it imports nothing of ours:

    python -E -P foreign.py FD SPOOL PYTHON

The package that it lies in is made importable, and none of its neighbours, which belong to another environment.
"""

import importlib
import importlib.util
import os
import socket
import sys

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_KEPT = ("PYTHONUNBUFFERED", "PYTHONHASHSEED")


def plain_environment() -> None:
    """Forget what was meant for the process of the engine, and put this interpreter's programs first.

    Where object stores are, those must know who fetch code bundles.
    """
    for name in list(os.environ):
        theirs = name.startswith(("ALULA_", "PYTHON", "_F_L_"))
        if theirs and name not in _KEPT and not name.startswith("ALULA__STORAGE__"):
            del os.environ[name]
    programs = os.path.dirname(os.path.abspath(sys.executable))
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])


def load_package() -> None:
    """Make `import alula` work, from where this file is."""
    spec = importlib.util.spec_from_file_location(
        "alula", os.path.join(PACKAGE, "__init__.py"), submodule_search_locations=[PACKAGE]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["alula"] = module
    spec.loader.exec_module(module)


def main() -> None:
    descriptor, spool, python = sys.argv[1:4]
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    os.setsid()
    plain_environment()
    os.chdir(spool)
    os.environ["TMPDIR"] = spool  # what flytekit makes when it is imported goes with the spool
    load_package()
    importlib.import_module("alula.runtime.pyflyte").run(channel, python)


if __name__ == "__main__":
    main()
