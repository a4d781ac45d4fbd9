"""What must hold of the routing to agents (D4 and D5 of the field), with a real agent that lists two versions of a
type and then goes away: `python -m tests.conformance.mutants.routing DIRECTORY` says what is wrong.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
import grpc.aio

from alula._kits.clock import SystemClock
from alula.backends.agent.channels import Channels
from alula.backends.agent.directory import Directory
from alula.backends.agent.routes import Category
from alula.backends.agent.settings import Endpoint, Settings
from alula.idl.agent import LIST, Agent, ListAgentsRequest, ListAgentsResponse
from tests.conformance.mutants.hosting import Hosted
from tests.sim.mutants import Mutant

MUTANTS = [
    Hosted(
        Mutant(
            "the versions of a type overwrite each other",
            "backends/agent/directory.py",
            "            types[Category(one.name, one.version)] = agent.is_sync\n",
            "            types = {known: sync for known, sync in types.items() if known.type != one.name}\n"
            "            types[Category(one.name, one.version)] = agent.is_sync\n",
        ),
        defect="D4",
    ),
    Hosted(
        Mutant(
            "an agent that is down is forgotten",
            "backends/agent/directory.py",
            "                self.silent(peer, exc.what)\n",
            "                self._offers.pop(peer.name, None)\n                self.silent(peer, exc.what)\n",
        ),
        defect="D5",
    ),
]


async def _serving(address: str) -> tuple[grpc.aio.Server, int]:
    """An agent that lists `train` in versions 0 and 1, and another one's type."""

    async def listed(request: ListAgentsRequest, context: object) -> ListAgentsResponse:
        answer = ListAgentsResponse()
        for type, version in (("train", 0), ("train", 1), ("query", 0)):
            answer.agents.append(Agent(name=f"{type}{version}"))
            answer.agents[-1].supported_task_categories.add(name=type, version=version)
        return answer

    server = grpc.aio.server()
    service, _, method = LIST.path.strip("/").partition("/")
    handler = grpc.unary_unary_rpc_method_handler(
        listed,
        request_deserializer=ListAgentsRequest.FromString,
        response_serializer=ListAgentsResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


async def faults(directory: Path) -> list[str]:
    """What is wrong with the routes, before and after the agent goes away."""
    server, port = await _serving("127.0.0.1:0")
    endpoint = Endpoint(address=f"127.0.0.1:{port}", plaintext=True)
    settings = Settings(endpoints={"trainers": endpoint}, register=str(directory))
    clock, channels = SystemClock(), Channels()
    known = Directory(settings, channels, clock)
    await known.open()
    found = _missing(known, clock, "while it answers")
    await server.stop(0)
    await known.refresh()
    found += _missing(known, clock, "while it is down")
    agent = known.routes.find("trainers")
    if agent is not None and agent.since is None:
        found.append("nobody noticed that it is down")
    await known.close()
    await channels.aclose()
    return found


def _missing(known: Directory, clock: SystemClock, when: str) -> list[str]:
    wanted = (Category("train", 0), Category("train", 1), Category("query", 0))
    return [f"{one} has no route {when}" for one in wanted if known.routes.to(one, clock.now()) is None]


def main() -> None:
    found = asyncio.run(faults(Path(sys.argv[1])))
    print("; ".join(found))


if __name__ == "__main__":
    main()
