"""The identity of an execution, a node and an attempt in a distributed trace, as W3C Trace Context has it.

It follows from names alone, so that every process comes to the same: an engine that takes an execution over goes on
with its trace, and a child execution knows its parent's span without having met it.

Source: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import hashlib
import re

from alula.store.records import ExecutionRecord

TRACEPARENT = "traceparent"
"""The fact of an execution that says in which trace it is, and under which span."""

_FORM = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def outside(execution: ExecutionRecord) -> tuple[int, int] | None:
    """The trace and the span that an execution was started under, if whoever did said so."""
    found = _FORM.fullmatch(execution.facts.get(TRACEPARENT, ""))
    trace, span = (int(found[1], 16), int(found[2], 16)) if found is not None else (0, 0)
    return (trace, span) if trace and span else None


def trace_id(execution: ExecutionRecord) -> int:
    """128 bits: of the trace that it was started under, else its own."""
    given = outside(execution)
    return given[0] if given is not None else _digest(execution, "trace") >> 128 or 1


def span_id(execution: ExecutionRecord, path: str, attempt: int = -1) -> int:
    """64 bits: of the execution (the empty path), of a node, or of an attempt of a node."""
    return _digest(execution, f"{path}\0{attempt}") >> 192 or 1


def traceparent(execution: ExecutionRecord, path: str, attempt: int = -1) -> str:
    """What to hand to whatever runs on behalf of an execution, a node or an attempt."""
    return f"00-{trace_id(execution):032x}-{span_id(execution, path, attempt):016x}-01"


def _digest(execution: ExecutionRecord, what: str) -> int:
    # Names are unique in a store only; two stores do not create the same name in the same microsecond.
    key = execution.key
    parts = (key.project, key.domain, key.name, execution.created_at.isoformat(), what)
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest(), "big")
