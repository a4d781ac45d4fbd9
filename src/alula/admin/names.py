"""Names of executions: which are good, and new ones that people can say and remember."""

from __future__ import annotations

import re
from random import Random

from alula.data import uris

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_LONGEST = 500
"""Bytes of the name of a task, a workflow or a launch plan: two of them are in an index of Postgres, among others."""
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without those that are easily taken for each other."""
_HOW = (
    "able airy amber ample apt azure bold brave brisk broad calm chief civic clean clear cosy crisp deft eager early "
    "easy even fair fast fine firm fleet fond frank free fresh full gentle glad golden good grand green happy hardy "
    "keen kind large light lively lucky merry mild neat new nimble noble open patient plain polite prime proud quick "
    "quiet rapid rare ready rich ripe rosy round royal sage sharp shiny silent smart snowy soft solid spry stable "
    "steady still strong sunny sure swift tall tame tidy true vast vivid warm wise witty young"
).split()
_WHO = (
    "ant auk badger bat bear beaver bee bison boar bream carp cat cod coot crab crane crow deer dipper dog dove duck "
    "eagle eel egret elk falcon ferret finch fox frog gannet goat goose grebe gull hare hawk heron hornet horse ibex "
    "ibis jay kite lark linnet lion lizard lynx magpie marten merlin mink mole moose moth mouse newt orca osprey otter "
    "owl ox perch pike plover pony puffin puma quail rabbit raven robin rook salmon seal shrew shrike skylark snail "
    "snipe sparrow squid stag starling stoat stork swan swift tench tern thrush tiger toad trout vole wasp weasel "
    "whale wolf wren yak"
).split()


def name_fault(name: str) -> str:
    """What is wrong with a name for an execution; empty if nothing is."""
    if NAME.fullmatch(name):
        return ""
    return f"{name!r} is no name for an execution: a small letter first, then at most 62 of a-z, 0-9 and -"


def entity_fault(name: str) -> str:
    """What is wrong with the name, or the version, of something that is registered; empty if nothing is."""
    size = len(name.encode("utf-8", "replace"))
    if size > _LONGEST:
        return f"{name[:40]!r} and so on has {size:,} characters in UTF-8, and may have {_LONGEST}"
    return "" if name.isprintable() else f"{name!r} has characters that cannot be printed"


def place_faults(project: str, domain: str) -> list[str]:
    """What is wrong with the names of a project and a domain."""
    return [
        f"{what}: {name!r} is no name for a {what}: a letter or digit first, then at most 62 of A-Z, a-z, 0-9, . _ -"
        for what, name in (("project", project), ("domain", domain))
        if not _PLACE.fullmatch(name)
    ]


def prefix_fault(uri: str) -> str:
    """What is wrong with a URI that executions are to put their files below; empty if nothing is, or if it is empty."""
    where = uris.rest(uri)
    match uris.scheme(uri):
        case "file" if not uri or where.startswith("/"):
            wrong = ""
        case "file":
            wrong = "a path of the server's machine begins with /"
        case "s3" | "gs" | "az":
            wrong = "" if where.strip("/") else "it names no bucket"
        case _:
            wrong = "it is none of s3://, gs://, az:// (abfs://), file:// and a path of the server's machine"
    if not wrong and (".." in where.split("/") or not where.isprintable()):
        wrong = "it has '..' or what cannot be printed in it"
    return f"output_location_prefix: {uri!r} is no place for files: {wrong}" if wrong else ""


def new_name(random: Random) -> str:
    """A name such as `brisk-otter-k3d9`: one of some ten thousand million."""
    return f"{random.choice(_HOW)}-{random.choice(_WHO)}-{''.join(random.choices(_LETTERS, k=4))}"
