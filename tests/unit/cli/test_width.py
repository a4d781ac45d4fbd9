"""Text that fits a terminal."""

from __future__ import annotations

import click
from hypothesis import given
from hypothesis import strategies as st

from alula.cli.width import Part, clean, columns, cut, fitted, tame, without_password


@given(st.text(max_size=60), st.integers(1, 40))
def test_what_is_cut_fits(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= max(width, 1)


@given(st.lists(st.text(alphabet="abc日本", max_size=20), max_size=5), st.integers(1, 60))
def test_a_line_of_parts_fits(texts: list[str], width: int) -> None:
    line = click.unstyle(fitted([Part(text, "red") for text in texts], width))
    assert columns(line) <= width
    assert line == "".join(texts) or line.endswith("…") or columns(line) == width or columns("".join(texts)) <= width


def test_wide_letters_take_two_columns() -> None:
    assert (columns("日本"), columns("ab"), columns("e\u0301")) == (4, 2, 1)


def test_what_moves_the_cursor_is_taken_out() -> None:
    assert clean("\x1b[2J\x1b[31mred\x1b[0m\ttab\x07") == "red    tab"
    assert clean("10%\r20%\r30%") == "30%"
    assert clean("\x1b]0;title\x07text") == "text"


def test_of_what_was_printed_colours_stay() -> None:
    assert tame("\x1b[2J\x1b[H\x1b[31mred\x1b[0m\ttab\x07\x9b2J") == "\x1b[31mred\x1b[0m\ttab2J\x1b[0m"
    assert tame("\x1b[1;32mgreen") == "\x1b[1;32mgreen\x1b[0m"
    assert tame("10%\r20%\x1b") == "10%\r20%"
    assert tame("\x1b]0;title\x07plain ü") == "plain ü"


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://me:secret@host:5432/db") == "postgresql://me:...@host:5432/db"
    assert without_password("postgresql://me@host/db") == "postgresql://me@host/db"
    assert without_password("/srv/me/alula.db") == "/srv/me/alula.db"
