"""What user code wants done at the end of its process: `atexit`, `weakref.finalize`. A worker is no process to Python,
since it was forked and does not return, so it is done here."""

from __future__ import annotations

import atexit
import signal
import weakref

_SECONDS = 10.0
"""The most that it may take: then the process is killed."""


def own() -> None:
    """Do at the end what is asked for from now on, and nothing that the process asked for which this is a fork of."""
    atexit._clear()
    known = getattr(weakref.finalize, "_registry", {})
    for one in list(known):
        one.atexit = False
    if getattr(weakref.finalize, "_registered_with_atexit", False):
        atexit.register(weakref.finalize._exitfunc)  # type: ignore[attr-defined] # it registers itself only once


def run() -> None:
    """Do it. What goes wrong is printed. For a process that ends at once afterwards."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    atexit._run_exitfuncs()
