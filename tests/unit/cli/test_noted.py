"""What the engine logs while a command runs it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from alula.cli.noted import keep_log


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a file that is always full")
def test_a_log_that_has_no_room_harms_nothing_and_trouble_is_told_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "engine.log"
    path.symlink_to("/dev/full")
    said: list[str] = []
    restore = keep_log(path, said.append)
    logging.getLogger("alula.store").warning("the disk is full")
    restore()
    assert "the disk is full" in said[0]
    assert capsys.readouterr() == ("", "")


def test_each_kind_of_trouble_is_told_once_and_kept_each_time(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "engine.log"
    said: list[str] = []
    restore = keep_log(path, said.append)
    for name in ("a", "b"):
        logging.getLogger("alula.engine").warning("%s is slow", name)
    restore()
    logging.getLogger("alula.engine").info("nobody hears this")
    assert len(said) == 1
    assert path.read_text().count(" is slow") == 2


def test_trouble_is_told_with_its_facts_once_of_each_plugin(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    said: list[str] = []
    restore = keep_log(path, said.append)
    for name in ("acme", "acme", "other"):
        logging.getLogger("alula.hosting").warning("plugin.blocked", extra={"plugin": name, "what": "it\nhangs"})
    restore()
    assert ["plugin acme, what it hangs" in said[0], "plugin other, what it hangs" in said[1]] == [True, True]
    assert len(said) == 2
    assert path.read_text().count("plugin.blocked plugin=acme what='it\\nhangs'") == 2
