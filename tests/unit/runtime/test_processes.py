"""The process table: who descends from whom."""

from __future__ import annotations

import os
import subprocess
import sys

from alula.runtime.processes import Process, Table, shared_out_bytes


def row(pid: int, parent: int, *, dead: bool = False) -> Process:
    return Process(pid, parent, dead, pid * 10, 4096)


FAMILY = Table([row(1, 0), row(10, 1), row(11, 10), row(12, 11, dead=True), row(20, 1)])


def test_a_tree_is_a_process_and_all_that_descends_from_it() -> None:
    assert [one.pid for one in FAMILY.tree(10)] == [10, 11, 12]
    assert [one.pid for one in FAMILY.tree(1)] == [1, 10, 20, 11, 12]
    assert FAMILY.tree(99) == []


def test_who_has_ended_is_not_alive() -> None:
    assert FAMILY.alive(11)
    assert not FAMILY.alive(12)
    assert not FAMILY.alive(99)


def test_a_table_that_goes_in_circles_has_an_end() -> None:
    # Pids are read one after the other, so a table may show a pid that was given away meanwhile.
    assert {one.pid for one in Table([row(1, 2), row(2, 1)]).tree(1)} == {1, 2}


def test_this_process_and_its_child_are_in_the_real_table() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        table = Table()
        assert table.alive(child.pid)
        assert child.pid in [one.pid for one in table.tree(os.getpid())]
        assert table.by_pid[os.getpid()].resident_bytes > 1_000_000
        assert child.stdin is not None
        child.stdin.close()


HAS_CHILDREN = """
import subprocess, sys
from alula.runtime.processes import has_children
assert not has_children()
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
    assert has_children()
    child.stdin.close()
    child.wait()
assert not has_children()
"""


def test_a_process_knows_whether_it_has_children() -> None:
    subprocess.run([sys.executable, "-c", HAS_CHILDREN], check=True)  # of this one, they may be others' and are reaped


def test_shared_memory_is_counted_once_among_those_who_share_it() -> None:
    mine = shared_out_bytes([os.getpid()])
    assert 1_000_000 < mine <= Table().by_pid[os.getpid()].resident_bytes * 2
    assert shared_out_bytes([2**30]) == 0
