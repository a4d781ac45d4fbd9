"""The engine's crash points: labels before and after its commits and its effects on the outside."""

from alula._kits.crash import CALLS, POINTS, VARIABLE, arm, crash_point, install

__all__ = ["CALLS", "POINTS", "VARIABLE", "arm", "crash_point", "install"]
