"""A second module of the bundle."""


def shout(text: str) -> str:
    return text.upper() + "!"
