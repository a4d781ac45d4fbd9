"""The API server of our tests answers as a real one did, exchange by exchange."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.servers.kube import server as servers
from tests.servers.kube.server import KubeServer, kube_server

RECORDED = [
    json.loads(line) for line in (Path(servers.__file__).parent / "recorded.jsonl").read_text().splitlines() if line
]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_VOLATILE = ("uid", "resourceVersion", "continue")


class Comparing:
    """Compares answers but for what no two servers have in common, and remembers what stands for what."""

    def __init__(self) -> None:
        self.live: dict[str, str] = {}
        """What was recorded, and what the server of now says in its place."""

    def same(self, recorded: Any, live: Any, path: str = "") -> list[str]:
        key = path.rpartition(".")[2]
        if isinstance(recorded, dict) and isinstance(live, dict):
            if recorded.keys() != live.keys():
                return [f"{path}: has {sorted(live)}, not {sorted(recorded)}"]
            return [fault for name in recorded for fault in self.same(recorded[name], live[name], f"{path}.{name}")]
        if isinstance(recorded, list) and isinstance(live, list):
            if len(recorded) != len(live):
                return [f"{path}: {len(live)} items, not {len(recorded)}: {json.dumps(live)[:2000]}"]
            pairs = enumerate(zip(recorded, live, strict=True))
            return [fault for at, (one, other) in pairs for fault in self.same(one, other, f"{path}[{at}]")]
        if key in _VOLATILE and isinstance(live, str) and live:
            self.live[recorded] = live
            return []
        if key == "name" and ".18ea" in str(recorded):  # of an event
            return [] if str(recorded).partition(".")[0] == str(live).partition(".")[0] else [f"{path}: {live}"]
        if isinstance(recorded, str) and isinstance(live, str):
            # The difference of two objects, as Go prints it, is for people.
            recorded, live = (_TIME.sub("<time>", text.partition("\n@@")[0]) for text in (recorded, live))
        return [] if recorded == live else [f"{path}: {live!r}, not {recorded!r}"]

    def put(self, text: str) -> str:
        """A request as it must be now, for what was recorded."""
        for recorded, live in sorted(self.live.items(), key=lambda pair: -len(pair[0])):
            text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(recorded)}(?![0-9A-Za-z])", live, text)
        return text


def before(server: KubeServer, name: str) -> None:
    """What happened in the recorded cluster by itself, between two exchanges."""
    if name in ("update", "event list"):
        server.reconsider("alula-dev", "e2-n0-0")


async def asked(session: aiohttp.ClientSession, server: KubeServer, exchange: Any, comparing: Comparing) -> Any:
    request = exchange["request"]
    token = "wrong" if "401" in exchange["name"] else server.token
    headers = {**(request.get("headers") or {}), "Authorization": f"Bearer {token}", "User-Agent": "python-requests/2"}
    params = {name: comparing.put(value) for name, value in request["params"].items()}
    body = request.get("body")
    data = None if body is None else _with_versions(body, comparing)
    url = f"{server.url}{request['path']}?{urlencode(params)}"
    async with session.request(request["method"], url, data=data, headers=headers) as answer:
        text = await answer.text()
        if "events" in exchange["response"]:
            return {"status": answer.status, "events": [json.loads(line) for line in text.splitlines()]}
        kind = answer.headers["Content-Type"].partition(";")[0]
        return {"status": answer.status, "type": kind, "body": json.loads(text) if kind.endswith("json") else text}


def _with_versions(body: Any, comparing: Comparing) -> str:
    metadata = body.get("metadata") or {}
    for name in _VOLATILE:
        if name in metadata:
            metadata[name] = comparing.live[metadata[name]]
    return json.dumps(body)


@pytest.mark.timeout(60)
async def test_all_recorded_exchanges_are_answered_alike() -> None:
    assert len(RECORDED) == 42
    faults: dict[str, list[str]] = {}
    comparing = Comparing()
    with kube_server(nodes=False) as server:
        async with aiohttp.ClientSession() as session:
            for exchange in RECORDED:
                before(server, exchange["name"])
                live = await asked(session, server, exchange, comparing)
                recorded = exchange["response"]
                if "events" in recorded:
                    found = comparing.same(recorded, live)
                else:
                    kind = recorded["headers"]["Content-Type"].partition(";")[0]
                    found = comparing.same({"status": recorded["status"], "type": kind, "body": recorded["body"]}, live)
                if found:
                    faults[exchange["name"]] = found
    assert not faults, json.dumps(faults, indent=1)
