"""The control plane: flyteidl's services over a house, on a gRPC port and an HTTP port, as settings have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.admin.outline import Plans
from alula.config import ServerConfig
from alula.errors import ConfigError
from alula.serve.callbacks import own_key
from alula.serve.house import House
from alula.services.attributes import Attributes
from alula.services.binding import Rpc, Tally, bind
from alula.services.caches import Caches
from alula.services.catalogs import DataCatalog
from alula.services.downloads import Downloads
from alula.services.executions import Executions
from alula.services.gate import Gate, Listening, Tokens, address, check_reach
from alula.services.launch_plans import LaunchPlans
from alula.services.launching import Launchables
from alula.services.links import Links
from alula.services.metrics import Metrics
from alula.services.names import Names
from alula.services.nodes import Nodes
from alula.services.places import Places
from alula.services.projects import ProjectCalls
from alula.services.registry import Registry
from alula.services.signals import Signals
from alula.services.signin import Identity, SignIn, token_routes
from alula.services.task_executions import TaskExecutions
from alula.services.tasks import Tasks
from alula.services.uploads import Uploads
from alula.services.workflows import Workflows

if TYPE_CHECKING:
    from alula.serve import web
    from alula.services import http, live, server, transfers
else:
    http = lazy.module("alula.services.http")
    live = lazy.module("alula.services.live")
    server = lazy.module("alula.services.server")  # gRPC, for those who serve it
    transfers = lazy.module("alula.services.transfers")
    web = lazy.module("alula.serve.web")

_KEY = "server.key"
_LEAST_SECRET = 16


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where it is served; empty: not."""

    grpc: str = ""
    http: str = ""


def parts(house: House, links: Links | None, tokens: Tokens | None) -> list[object]:
    """Who answers the calls of the control plane, one object for each subject."""
    desk = house.desk
    config = house.config
    places = Places(desk, config.resources)
    registry = Registry(desk, house.check, places)
    plans = Plans(desk)
    registered = [Tasks(registry), Workflows(registry), LaunchPlans(registry), Names(registry), Uploads(desk, links)]
    launchables = Launchables(desk, places, config.notifications.failures)
    running = [Executions(desk, plans, launchables), Nodes(desk, plans), TaskExecutions(desk, plans, links)]
    decided = [ProjectCalls(desk, config.server.domains), Attributes(desk), Signals(desk)]
    looked_at = [Metrics(desk, plans), Downloads(desk, plans, links)]
    catalogs = [DataCatalog(desk), Caches(desk)]
    return [*registered, *decided, *running, *looked_at, *catalogs, Identity(), SignIn(tokens)]


@asynccontextmanager
async def answering(house: House, config: ServerConfig, tally: Tally | None = None) -> AsyncIterator[Addresses]:
    """Both servers, inside the block; where they listen.

    Args:
        tally: Who counts calls.

    Raises:
        ConfigError: An address is none, is taken, or would be open to everybody; a package is missing.
    """
    gate = Gate(Tokens(config.tokens) if config.tokens is not None else None)
    if gate.tokens is not None:
        await to_thread(gate.tokens.known)
    links = await to_thread(_links, house, config) if config.http else None
    rpcs = bind(parts(house, links, gate.tokens))
    try:
        async with AsyncExitStack() as stack:
            url = ""
            if config.http and links is not None:
                url = await stack.enter_async_context(_over_http(house, config, gate, links, rpcs, tally))
            gate = Gate(gate.tokens, url)
            yield Addresses(await _over_grpc(stack, config, gate, rpcs, tally) if config.grpc else "", url)
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"serving needs {exc.name}, which is not installed", where="[server]", fix="pip install 'alula[server]'"
        ) from exc


async def _over_grpc(
    stack: AsyncExitStack, config: ServerConfig, gate: Gate, rpcs: list[Rpc], tally: Tally | None
) -> str:
    listening = _listening(config, config.grpc, "grpc")
    check_reach(listening, gate, "--grpc", insecure=config.insecure)
    serving = server.serving(rpcs, listening, gate, message_bytes=config.message_bytes, tally=tally)
    running = await stack.enter_async_context(serving)
    return _shown(listening.host, running.port)


@asynccontextmanager
async def _over_http(
    house: House, config: ServerConfig, gate: Gate, links: Links, rpcs: list[Rpc], tally: Tally | None
) -> AsyncIterator[str]:
    """The base URL."""
    listening = _listening(config, config.http, "http")
    check_reach(listening, gate, "--http", insecure=config.insecure)
    if listening.host in ("0.0.0.0", "::") and not config.url:
        raise ConfigError(
            f"{config.http} is every address of this machine, and links must name one that others reach",
            where="--http",
            fix="say which: [server] url, as in https://alula.example.org",
        )
    calls = http.Web(rpcs, Gate(gate.tokens, config.url.rstrip("/")), body_bytes=config.message_bytes, tally=tally)
    files = transfers.transfer_routes(links, house.objects, limit_bytes=config.upload_bytes)
    told = live.Live(house.desk, Plans(house.desk), Gate(gate.tokens, config.url.rstrip("/"))).routes()
    routes = [*files, *token_routes(gate.tokens), *told, *calls.routes()]
    tls = (listening.cert_file, listening.key_file, listening.client_ca_file) if listening.cert_file else None
    async with web.serving(routes, listening.host, listening.port, tls=tls) as port:
        scheme = "https" if tls else "http"
        yield config.url.rstrip("/") or f"{scheme}://{_shown(listening.host, port)}"


def _listening(config: ServerConfig, where: str, what: str) -> Listening:
    host, port = address(where, what)
    files = (config.cert, config.key, config.client_ca)
    return Listening(host, port, *(str(one) if one is not None else "" for one in files))


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _links(house: House, config: ServerConfig) -> Links:
    """Raises ConfigError where replicas would not understand each other's links."""
    if config.secret:
        if len(config.secret) < _LEAST_SECRET:
            raise ConfigError(
                f"the key of links has {len(config.secret)} characters; {_LEAST_SECRET} are the least",
                where="[server] secret",
                fix="python -c 'import secrets; print(secrets.token_hex(32))' makes one",
            )
        return Links(config.secret.encode(), house.clock)
    return Links(own_key(Path(house.config.home) / _KEY), house.clock)
