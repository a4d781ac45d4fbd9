"""Where the code of an execution lies, and whether it is still what it was."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from alula.errors import ConfigError
from alula.serve.code import Code, environment_of, with_environment


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "code_helper.py").write_text("X = 1\n")
    (tmp_path / "code_program.py").write_text("import code_helper\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.util.spec_from_file_location("code_program", tmp_path / "code_program.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["code_program"] = module
    spec.loader.exec_module(module)
    yield module
    for name in ("code_program", "code_helper"):
        sys.modules.pop(name, None)


def test_the_program_and_its_neighbours_are_known_by_content(program: ModuleType, tmp_path: Path) -> None:
    code = Code.loaded("code_program", target="here.py")
    assert (code.root, code.module, set(code.files)) == (
        str(tmp_path),
        "code_program",
        {"code_program.py", "code_helper.py"},
    )
    (tmp_path / "code_helper.py").write_text("X = 2\n")
    assert Code.loaded("code_program").digest != code.digest


def test_it_survives_as_facts(program: ModuleType) -> None:
    code = Code.loaded("code_program", target="here.py")
    assert Code.of_facts(code.facts()) == code
    assert Code.of_facts({}) is None


def test_code_that_changed_or_is_gone_is_named(program: ModuleType, tmp_path: Path) -> None:
    code = Code.loaded("code_program")
    code.check()
    (tmp_path / "code_helper.py").write_text("X = 2\n")
    (tmp_path / "code_program.py").unlink()
    with pytest.raises(ConfigError, match=r"code_helper\.py has changed, code_program\.py is gone"):
        code.check()


def test_a_python_that_is_gone_is_named(program: ModuleType) -> None:
    facts = {**Code.loaded("code_program").facts(), "code.interpreter": "/nowhere/python"}
    code = Code.of_facts(facts)
    assert code is not None
    with pytest.raises(ConfigError, match="/nowhere/python"):
        code.check()


def test_modules_in_packages_have_the_root_of_the_package() -> None:
    code = Code.loaded(__name__)
    assert (Path(code.root) / Path(*__name__.split(".")).with_suffix(".py")).exists() or code.root


def test_variables_travel_as_facts() -> None:
    facts = {"other": "x", **with_environment({"A": "1", "B.C": "2"})}
    assert environment_of(facts) == {"A": "1", "B.C": "2"}
