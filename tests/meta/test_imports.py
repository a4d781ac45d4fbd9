"""Imports stand at the top of the file, but for the heavy optional libraries, and `import alula` stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.meta.source import PACKAGE, name, python_files, statements, tree

HEAVY_LIBRARIES = frozenset(
    "pandas pyarrow polars duckdb numpy PIL matplotlib sklearn joblib torch pydantic pydantic_core pandera obstore "
    "mashumaro cloudpickle croniter httpx psycopg pymysql snowflake jwt cryptography kubernetes_asyncio "
    "aiodocker aiohttp".split()
)
"""Optional, or slow to load and seldom needed: these rooms may import them inside a function."""
ROOMS_THAT_LOAD_LATE = ("types", "data", "containers", "backends", "cli")
NOT_AT_START = frozenset("grpc pandas starlette sqlalchemy numpy pydantic obstore flyteidl google.protobuf".split())


def late_imports(path: Path) -> Iterator[tuple[str, str]]:
    """(function, module) of every import inside a function of `path`."""
    for function in statements(tree(path)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in statements(function):
            if isinstance(node, ast.Import):
                yield from ((function.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield function.name, node.module or "."


def permitted(path: Path, function: str, module: str) -> bool:
    room, *_ = path.relative_to(PACKAGE).parts
    heavy = room in ROOMS_THAT_LOAD_LATE and module.partition(".")[0] in HEAVY_LIBRARIES
    door = path == PACKAGE / "__init__.py" and function == "__getattr__"
    loader = path == PACKAGE / "_kits" / "lazy.py"
    return heavy or door or loader


def test_functions_import_nothing_but_heavy_optional_libraries() -> None:
    wrong = sorted(
        f"{name(path)}::{function} imports {module}"
        for path in python_files("src")
        for function, module in late_imports(path)
        if not permitted(path, function, module)
    )
    assert not wrong, f"move these to the top of their file: {wrong}"


def test_import_alula_loads_nothing_heavy() -> None:
    code = "import sys, json, alula; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = NOT_AT_START & set(json.loads(done.stdout))
    assert not loaded, f"`import alula` loads {sorted(loaded)}"
