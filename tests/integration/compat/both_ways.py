"""Runs every workflow of the given programs that needs no inputs, by a plain call and by the engine; prints JSON."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import Any

import alula.compat
from alula import Client
from alula.cli.program import kind_of, load


def shown(value: Any) -> str:
    """A value without what differs from run to run: paths, ids, addresses."""
    return re.sub(r"(/[\w.:~-]+)+|0x[0-9a-f]+|file-\w+", "PATH", f"{type(value).__name__} {value!r}")


def main() -> None:
    alula.compat.install()
    found: dict[str, list[str]] = {}
    with Client() as client, contextlib.redirect_stdout(sys.stderr):
        for file in sys.argv[1:]:
            program = load(file)
            for name in program.own:
                entity: Any = program.entities[name]
                if kind_of(entity) == "task" or any(one.required for one in entity.interface.inputs.values()):
                    continue
                told = []
                for run in (entity, lambda entity=entity: client.run(entity).result()):
                    try:
                        told.append(shown(run()))
                    except Exception as exc:  # noqa: BLE001 - a program that fails must fail both ways
                        told.append(f"raised {type(exc).__name__}: {exc}")
                found[f"{program.module}.{name}"] = told
    print(json.dumps(found))


if __name__ == "__main__":
    main()
