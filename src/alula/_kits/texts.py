"""Texts of others."""

from __future__ import annotations


def storable(text: str) -> str:
    """A text that any database and any message takes: half characters, and the character 0, are spelled out.

    Names of files, output of programs and errors of guests may hold them.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
