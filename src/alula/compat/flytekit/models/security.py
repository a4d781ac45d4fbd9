"""Secrets and identities: Alula's own classes, and models of what stands beside them."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model
from alula.compat.names import mirror


class OAuth2Client(Model, idl=idl.OAuth2Client, fields="client_id client_secret"): ...


class OAuth2TokenRequest(
    Model, idl=idl.OAuth2TokenRequest, fields="name client idp_discovery_endpoint token_endpoint type"
): ...


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.secrets": "Secret SecurityContext Identity"})
