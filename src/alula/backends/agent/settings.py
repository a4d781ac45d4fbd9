"""What an operator says about agents: `[backends.agent]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from alula.config import home
from alula.plugin.announcing import is_loopback


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One agent, or several alike behind one name: `[backends.agent.endpoints.<name>]`."""

    address: str = ""
    """`host:port`, or what else gRPC resolves (`dns:///spark-agents:8000` spreads calls over all its addresses)."""
    plaintext: bool = False
    """Talk without TLS."""
    ca_file: str = ""
    """PEM file with the authorities that its certificate is checked against; empty: those of the system."""
    cert_file: str = ""
    """PEM file with our own certificate, where the agent wants to see one (mTLS)."""
    key_file: str = ""
    """PEM file with the key of `cert_file`."""
    server_name: str = ""
    """The name in its certificate, if it is not that of the address."""
    token_file: str = ""
    """File with a token that every call carries; read again when it changes."""
    token_variable: str = ""
    """Environment variable with such a token."""
    send_secrets: bool = False
    """Send a task's secrets along when it is started; only over TLS or to this machine."""
    task_types: tuple[str, ...] = ()
    """What it serves, besides what it says itself, and before others that serve it: `spark`, or `spark@1` for version 1
    only. For agents that do not list their types, and to decide between several."""
    sync_task_types: tuple[str, ...] = ()
    """Likewise, of those types that it answers at once."""
    conventions: tuple[str, ...] = ()
    """What it keeps of `find` and `delete-succeeded`, if it does not say so itself."""
    create_timeout: timedelta = timedelta(seconds=30)
    """For starting a job."""
    get_timeout: timedelta = timedelta(seconds=10)
    """For one question about a job."""
    delete_timeout: timedelta = timedelta(seconds=30)
    """For stopping a job."""
    call_timeout: timedelta = timedelta(seconds=60)
    """For an answer at once."""
    list_timeout: timedelta = timedelta(seconds=3)
    """For asking what it serves."""

    def __post_init__(self) -> None:
        if self.plaintext and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError(
                "plaintext is true, so ca_file, cert_file and key_file mean nothing; leave one or the other"
            )
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together")
        if self.plaintext and (self.send_secrets or self.token_file or self.token_variable) and not self.near:
            raise ValueError(f"tokens and secrets would go in plain text to {self.address}: use TLS")

    @property
    def near(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.address)


@dataclass(frozen=True, slots=True)
class Settings:
    """`[backends.agent]`"""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    """The agents that are always there, by name."""
    registered: Endpoint = field(default_factory=Endpoint)
    """How agents are talked to that announce themselves: `[backends.agent.registered]`, without an address. Plain text
    only to this machine, unless it says `plaintext`."""
    register: str = ""
    """Directory in which agents announce themselves; empty: `agents` in the home directory."""
    announce_token_file: str = ""
    """File with tokens, one a line: agents that carry one may announce themselves at the address of `[callbacks]`, too
    (`PUT /agents/<name>`). Empty: they cannot."""
    refresh: timedelta = timedelta(seconds=10)
    """How often agents are asked what they serve."""
    forget: timedelta = timedelta(days=7)
    """Task types of an agent that announced itself and was not heard of for so long are forgotten."""
    max_dataset_bytes: int = 10 * 1024 * 1024
    """The most that an agent may answer at once."""

    @property
    def directory(self) -> Path:
        return Path(self.register) if self.register else home() / "agents"
