"""What an engine's refusals mean, as errors of ours: who is at fault, and what to do; pure."""

from __future__ import annotations

import re

from alula.containers.engine.where import HINT
from alula.errors import ImageMissing, Rejected, RemoteError, RemoteNotFound, Throttled

UNREACHABLE = 900
"""The status that the client gives for an engine that did not answer."""
_CAUSE = re.compile(r"\[([^\[\]]+)\]*$")
_DENIED = re.compile(
    "pull access denied|unauthorized|authentication required|no basic auth|denied:|forbidden|incorrect username", re.I
)
_ABSENT = re.compile(
    "manifest unknown|not found|no matching manifest|repository name not known|name unknown|does not exist", re.I
)
_BUSY = re.compile("toomanyrequests|too many requests|rate limit", re.I)
_NO_PROGRAM = re.compile(
    "executable file not found|no such file or directory|permission denied|exec format error|is a directory"
    "|no command specified|no command or entrypoint|not a directory",
    re.I,
)
_NO_DEVICE = re.compile("could not select device driver|unknown device|nvidia|no such device", re.I)
_NO_NETWORK = re.compile("network .{0,80}not found|unable to find network", re.I)
_NO_USER = re.compile("unable to find (user|group)", re.I)
_NO_INIT = re.compile("container-init binary not found", re.I)
_BAD_NAME = re.compile("invalid reference format|repository name .{0,200}must be lowercase", re.I)
_IN_USE = re.compile("name .{0,200}is already in use", re.I)
_RUNS = re.compile("container state improper|cannot be removed without force", re.I)


def conflicts(status: int, said: str) -> bool:
    """Whether there is something of that name, or it is in a state in which that cannot be done; Podman says so in
    words only."""
    return status == 409 or (status == 500 and bool(_IN_USE.search(said) or _RUNS.search(said)))


def silent(url: str, why: object) -> RemoteError:
    """The engine does not answer."""
    text = " ".join(str(why).split()) or type(why).__name__
    inner = _CAUSE.search(text)  # the client wraps it twice
    said = inner[1] if inner else text
    return RemoteError(f"the container engine at {url} does not answer: {said}", where=url, fix=HINT)


def refused(status: int, said: str, *, url: str, what: str, looks: bool = False) -> RemoteError:
    """What a status and its message mean for a call about a container.

    Args:
        what: The call, for people: `create container a1b2`.
        looks: It only asks for something, so that no program can be missing.
    """
    text = " ".join(said.split())
    message = f"the container engine cannot {what}: {text}"
    if status == UNREACHABLE:
        return silent(url, text)
    if status == 404 and re.search("no such image|image not known|image .{0,200}not found", text, re.I):
        return ImageMissing(message, where=url)
    if status in (429, 503):
        return Throttled(message, where=url)
    for pattern, code, fix in () if looks else _TELLING:
        if pattern.search(text):
            return Rejected(message, where=url, fix=fix, code=code)
    if status == 404:
        return RemoteNotFound(message, where=url)
    if status == 400:
        return Rejected(message, where=url, fix="change what the task asks for", code="BadContainer")
    return RemoteError(message, where=url)


_TELLING: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (_NO_DEVICE, "NoDevice", "ask for no GPU, or run it where the engine has one (the NVIDIA Container Toolkit)"),
    (_NO_NETWORK, "NoNetwork", "make the network, or name another one: `network` in [backends.docker]"),
    (_NO_INIT, "NoInit", "install `catatonit` where the engine runs, or set `init = false` in [backends.docker]"),
    (_BAD_NAME, "BadImageName", "write it as host/name:tag"),
    (_NO_USER, "NoUser", "name a user of the image, or numbers as 1000:1000"),
    (_NO_PROGRAM, "CannotRun", "see that the command is in the image, executable, and made for this processor"),
)


def unpulled(image: str, said: str, status: int, *, url: str) -> RemoteError:
    """Why an image could not be pulled."""
    text = " ".join(said.split())
    message = f"image {image} cannot be pulled: {text}"
    if status == UNREACHABLE:
        return silent(url, text)
    if _BUSY.search(text) or status == 429:
        return Throttled(message, where=url, fix="sign in to the registry, or keep the image on this machine")
    if _DENIED.search(text) or status in (401, 403):
        fix = (
            "see that the name is right; for a private one run `docker login`, or set `registries` in [backends.docker]"
        )
        return Rejected(message, where=url, fix=fix, code="ImagePullDenied")
    if _ABSENT.search(text) or status == 404:
        return Rejected(message, where=url, fix="name an image that its registry has", code="ImageNotFound")
    if status == 400 or "invalid reference" in text:
        return Rejected(message, where=url, fix="write it as host/name:tag", code="BadImageName")
    fix = "see that the registry can be reached from the engine; for an image that is only here set pull = 'never'"
    return RemoteError(message, where=url, fix=fix)
