"""Lazy loading: entry points, names of a module, modules."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from alula._kits import lazy
from alula.errors import PluginError


@pytest.fixture
def distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on `sys.path` with two installed distributions that provide entry points."""

    def install(name: str, points: str) -> None:
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text("[lazy.test]\n" + points)

    install("first-kit", "good = first_kit:thing\nbroken = first_kit:missing\ntwice = first_kit:thing\n")
    install("second-kit", "twice = second_kit:other\nexplodes = second_kit_bad:x\n")
    (tmp_path / "first_kit.py").write_text("thing = ['the thing']\n")
    (tmp_path / "second_kit.py").write_text("other = 'the other'\n")
    (tmp_path / "second_kit_bad.py").write_text("raise ZeroDivisionError('at import')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for cached in (lazy.installed, lazy.entry_points, lazy.load, lazy.load_all):
        cached.cache_clear()
    return tmp_path


@pytest.mark.usefixtures("distributions")
def test_entry_points_are_found_by_group_and_name() -> None:
    assert set(lazy.entry_points("lazy.test")) == {"good", "broken", "twice", "explodes"}
    assert lazy.entry_points("lazy.test") is lazy.entry_points("lazy.test")
    assert lazy.entry_points("no.such.group") == {}


@pytest.mark.usefixtures("distributions")
def test_load_imports_once() -> None:
    assert lazy.load("lazy.test", "good") == ["the thing"]
    assert lazy.load("lazy.test", "good") is lazy.load("lazy.test", "good")


@pytest.mark.usefixtures("distributions")
@pytest.mark.parametrize(("name", "cause"), [("broken", "AttributeError"), ("explodes", "ZeroDivisionError")])
def test_a_plugin_that_fails_to_import_is_named_with_its_distribution_and_cause(name: str, cause: str) -> None:
    with pytest.raises(PluginError) as caught:
        lazy.load("lazy.test", name)
    assert cause in caught.value.what
    assert type(caught.value.__cause__).__name__ == cause
    assert "-kit 1.2" in caught.value.where


@pytest.mark.usefixtures("distributions")
def test_a_missing_plugin_lists_what_there_is() -> None:
    with pytest.raises(PluginError) as caught:
        lazy.load("lazy.test", "god")
    assert "'god'" in caught.value.what
    assert "good" in caught.value.where


@pytest.mark.usefixtures("distributions")
def test_one_name_from_two_distributions_is_refused_or_loaded_whole() -> None:
    with pytest.raises(PluginError) as caught:
        lazy.load("lazy.test", "twice")
    assert "first-kit 1.2" in caught.value.where
    assert "second-kit 1.2" in caught.value.where
    assert sorted(map(str, lazy.load_all("lazy.test", "twice"))) == ["['the thing']", "the other"]
    assert lazy.load_all("lazy.test", "nobody") == ()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "lazyshop").mkdir()
    (tmp_path / "lazyshop/__init__.py").write_text(
        "from alula._kits.lazy import exports\n"
        "__getattr__, __dir__ = exports(__name__, {\n"
        "'Bread': 'lazyshop.bakery', 'roll': 'lazyshop.bakery:Bread', 'oven': 'lazyshop.bakery:'})\n"
    )
    (tmp_path / "lazyshop/bakery.py").write_text("print('baking')\nclass Bread: ...\n")
    return str(tmp_path)


def test_exports_import_on_first_use(shop: str) -> None:
    body = (
        "import sys, lazyshop; assert 'lazyshop.bakery' not in sys.modules\n"
        "assert {'Bread', 'oven', 'roll'} <= set(dir(lazyshop))\n"
        "from lazyshop import Bread\n"
        "assert lazyshop.roll is Bread and 'Bread' in vars(lazyshop)\n"
        "assert lazyshop.oven is sys.modules['lazyshop.bakery']\n"
        "try: lazyshop.Bred\n"
        "except AttributeError as exc: print(exc, exc.name)\n"
        "print(hasattr(lazyshop, '__wrapped__'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", body], cwd=shop, capture_output=True, text=True, timeout=20)
    assert ended.stdout == "baking\nmodule 'lazyshop' has no attribute 'Bred' Bred\nFalse\n", ended.stderr


def test_a_lazy_module_is_imported_by_its_first_attribute() -> None:
    body = (
        "import sys; from alula._kits.lazy import module\n"
        "colors = module('colorsys'); assert 'colorsys' not in sys.modules\n"
        "assert colors.rgb_to_hsv is sys.modules['colorsys'].rgb_to_hsv\n"
        "print('rgb_to_hsv' in vars(colors))\n"
    )
    ended = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=20)
    assert ended.stdout == "True\n", ended.stderr


def test_what_lasts_is_not_looked_at_by_the_collector_and_what_comes_after_is() -> None:
    with lazy.lasting():
        assert not gc.isenabled()
        stays = [object()]
        stays.append(stays)
    try:
        assert gc.isenabled()
        later = [object()]
        looked_at = {id(one) for one in gc.get_objects()}
        assert id(stays) not in looked_at
        assert id(later) in looked_at
    finally:
        gc.unfreeze()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with lazy.lasting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_at_the_end_of_the_process_the_collector_looks_at_everything() -> None:
    program = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"
        "from alula._kits import lazy\n"
        "lazy.settle(); lazy.settle()\n"
        "assert gc.get_freeze_count()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
