"""What containers print, and what Kubernetes says about objects in its events."""

from __future__ import annotations

from alula.data.layout import Attempt
from alula.errors import DataError, RemoteError
from alula.hosting.k8s.answers import Refused
from alula.hosting.k8s.cluster import PODS, Cluster
from alula.plugin.context import TaskContext
from alula.plugin.k8s import Manifest
from alula.plugin.webapi import LogPage

_EVENTS = 50
_SHOWN = 3
_LINES = 1000
"""Of one page."""


async def keep(cluster: Cluster, task: TaskContext, resource: Manifest, source: tuple[str, str]) -> None:
    """Put the log of a container with the files of its attempt. Says there why if it cannot be had."""
    namespace = str(resource["metadata"].get("namespace") or "")
    pod, container = source
    limit = cluster.settings.log_bytes
    try:
        text = await cluster.text(
            PODS.path(namespace, pod, "log"), {"container": container, "limitBytes": str(limit + 1)}
        )
    except Refused as exc:
        if exc.status in (400, 404):
            return  # the container never began, or went with its pod
        text = f"[the log of pod {namespace}/{pod}, container {container}, cannot be had: {exc.what}]\n"
    except RemoteError as exc:
        text = f"[the log of pod {namespace}/{pod}, container {container}, cannot be had: {exc.what}]\n"
    data = text.encode()
    if len(data) > limit:
        data = data[:limit] + f"\n[cut off after {limit} bytes: [backends.k8s] log_bytes]\n".encode()
    try:
        await task.objects.write(Attempt(task.output_prefix).log, data)
    except DataError:
        return  # the attempt's outcome does not hang on its log; the store says so where it matters


async def page(cluster: Cluster, namespace: str, source: tuple[str, str], token: str) -> LogPage:
    """Lines of a running container, from a time on: the token is the time stamp of the last line seen."""
    pod, container = source
    params = {"container": container, "timestamps": "true", "limitBytes": str(256 * 1024)}
    if token:
        params["sinceTime"] = token.partition(".")[0].removesuffix("Z") + "Z"
    try:
        text = await cluster.text(PODS.path(namespace, pod, "log"), params)
    except RemoteError:
        return LogPage((), token)
    stamped = [line.partition(" ") for line in text.splitlines()]
    fresh = [(stamp, line) for stamp, _, line in stamped if not token or _nanos(stamp) > _nanos(token)][:_LINES]
    return LogPage(tuple(line for _, line in fresh), fresh[-1][0] if fresh else token)


async def warnings(cluster: Cluster, resource: Manifest) -> str:
    """The last warnings that Kubernetes gave about an object; empty: none, or we may not see them."""
    metadata = resource["metadata"]
    path = f"/api/v1/namespaces/{metadata.get('namespace', '')}/events"
    params = {"fieldSelector": f"involvedObject.uid={metadata.get('uid', '')}", "limit": str(_EVENTS)}
    try:
        found = await cluster.request("GET", path, params=params)
    except RemoteError:
        return ""
    said = [
        f"{one.get('reason', '')}: {one.get('message', '')}"
        for one in sorted(found.get("items") or (), key=_when)
        if one.get("type") == "Warning"
    ]
    return "; ".join(list(dict.fromkeys(said))[-_SHOWN:])


def _when(event: Manifest) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _nanos(stamp: str) -> tuple[str, str]:
    """A time stamp in a form that compares, however many digits its fraction has."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return whole, fraction.ljust(9, "0")
