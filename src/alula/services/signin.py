"""IdentityService and AuthMetadataService: who calls, and how a client signs in, with API tokens.

A client of Flyte that has an API token shows it in one of two ways. With `authType: ExternalCommand` a command prints
it. With `authType: ClientSecret` the token is the client's secret and its name the client's id; the client then fetches
a token from `/oauth2/token` as OAuth 2.0 has it, and is given the same one.
Source: RFC 8414 (metadata), RFC 6749, 4.4 (client credentials).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from alula.errors import Unknown
from alula.idl.service import (
    AUTH_METADATA,
    IDENTITY,
    OAuth2MetadataRequest,
    OAuth2MetadataResponse,
    PublicClientAuthConfigRequest,
    PublicClientAuthConfigResponse,
    UserInfoRequest,
    UserInfoResponse,
)
from alula.services.binding import Call
from alula.services.gate import Tokens

TOKEN_PATH = "/oauth2/token"
_SECONDS = 3600
"""After that a client fetches its token again."""
_BYTES = 16 * 1024


class Identity:
    """Who calls."""

    service = IDENTITY

    async def UserInfo(self, request: UserInfoRequest, call: Call) -> UserInfoResponse:
        """Empty where nobody is asked who they are."""
        who = call.principal
        return UserInfoResponse(subject=who, name=who, preferred_username=who)


class SignIn:
    """How a client signs in.

    Args:
        tokens: None: it need not.
    """

    service = AUTH_METADATA

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    async def GetOAuth2Metadata(self, request: OAuth2MetadataRequest, call: Call) -> OAuth2MetadataResponse:
        """Raises Unknown, where nobody needs to sign in, or there is no HTTP server to do it at."""
        self._check()
        if not call.base_url:
            raise Unknown("tokens are fetched over HTTP, which this server does not answer")
        return OAuth2MetadataResponse(
            issuer=call.base_url,
            token_endpoint=call.base_url + TOKEN_PATH,
            token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
            grant_types_supported=["client_credentials"],
            scopes_supported=["all"],
        )

    async def GetPublicClientConfig(
        self, request: PublicClientAuthConfigRequest, call: Call
    ) -> PublicClientAuthConfigResponse:
        """Raises Unknown, where nobody needs to sign in."""
        self._check()
        return PublicClientAuthConfigResponse(
            client_id="alula", scopes=["all"], authorization_metadata_key="authorization"
        )

    def _check(self) -> None:
        if self._tokens is None:
            raise Unknown("nobody needs to sign in at this server")


def token_routes(tokens: Tokens | None) -> list[BaseRoute]:
    """`POST /oauth2/token`: an API token for its name and itself; none, where nobody needs to sign in."""
    if tokens is None:
        return []

    async def fetched(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _BYTES:
                return _refused("invalid_request", 413)
        form = dict(parse_qsl(body.decode("latin-1")))
        if form.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", 400)
        name, secret = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        whose = tokens.principal(secret)
        if not whose or not hmac.compare_digest(whose.encode(), name.encode()):
            return _refused("invalid_client", 401)
        said = {"access_token": secret, "token_type": "bearer", "expires_in": _SECONDS}
        return JSONResponse(said, headers={"Cache-Control": "no-store"})

    return [Route(TOKEN_PATH, fetched, methods=["POST"])]


def _basic(header: str) -> tuple[str, str] | None:
    """Name and password of HTTP's basic scheme; None: it is another one."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if colon else None


def _refused(error: str, status: int) -> Response:
    return JSONResponse({"error": error}, status, headers={"Cache-Control": "no-store"})
