"""Values in scripts of a POSIX shell: as references to variables, quoted as their place needs, never as code."""

from __future__ import annotations


class Quotes:
    """Whether a place of a script is inside quotes. A wrong guess costs the shape of a word, never safety."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        """The quotes and substitutions that are open: `'`, `"`, `(` for `$(`, `[` for `$((`."""

    def read(self, text: str) -> None:
        """Go on over some text."""
        position = 0
        while position < len(text):
            position += self._step(text, position)

    def reference(self, name: str) -> str:
        """A variable's value as one word, or as a part of the word around it."""
        top = self.inside[-1] if self.inside else ""
        if top == "'":
            return f"'\"${{{name}}}\"'"
        return f"${{{name}}}" if top in ('"', "[") else f'"${{{name}}}"'

    def _step(self, text: str, at: int) -> int:
        """Look at one character, or a few that belong together; how many."""
        here, top = text[at], self.inside[-1] if self.inside else ""
        if top == "'":
            if here == "'":
                self.inside.pop()
        elif here == "\\":
            return 2
        elif text.startswith("$((", at):
            self.inside.append("[")
            return 3
        elif text.startswith("$(", at):
            self.inside.append("(")
            return 2
        elif top == "[" and text.startswith("))", at):
            self.inside.pop()
            return 2
        elif here == '"':
            self.inside.pop() if top == '"' else self.inside.append('"')
        elif here == "'" and top != '"':
            self.inside.append("'")
        elif here == "#" and top != '"' and (at == 0 or text[at - 1].isspace()):
            return (text + "\n").index("\n", at) - at + 1
        elif here == ")" and top == "(":
            self.inside.pop()
        return 1
