"""`python -m alula.compat FILE [ARGUMENTS]` or `-m MODULE [ARGUMENTS]`: a program written for flytekit, on Alula."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from alula.compat.hook import install

USAGE = """usage: python -m alula.compat FILE [ARGUMENTS...]
       python -m alula.compat -m MODULE [ARGUMENTS...]

Runs a Python program or module in which `import flytekit` means Alula. Tests run with: -m pytest PATHS"""


def main(argv: Sequence[str]) -> int:
    """Run what the command line names, as `__main__`; the exit code if it could not be run."""
    words = list(argv)
    if not words or words[0] in ("-h", "--help") or (words[0] == "-m" and len(words) == 1):
        sys.stderr.write(USAGE + "\n")
        return 0 if words[:1] in (["-h"], ["--help"]) else 2
    install()
    if words[0] == "-m":
        sys.path[0] = os.getcwd()
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return 0
    if not os.path.exists(words[0]):
        sys.stderr.write(f"there is no file {words[0]}\n{USAGE}\n")
        return 2
    sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
