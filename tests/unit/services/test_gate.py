"""Who may call, and where a server may listen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from alula.errors import ConfigError, NotSignedIn, StoreUnavailable
from alula.idl.service import AUTH_METADATA
from alula.services.binding import bind
from alula.services.gate import Gate, Listening, Tokens, address, check_reach, parse_tokens
from tests.unit.services.planned import HandClock


def line(name: str, token: str) -> str:
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()}\n"


def test_a_token_says_who_calls(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# of people\n" + line("ann", "a-token") + line("bob", "b-token"))
    gate = Gate(Tokens(file))
    assert gate.principal([("Authorization", "Bearer a-token")]) == "ann"
    assert gate.principal([("authorization", b"bearer b-token")]) == "bob"
    for name, value in (("", ""), ("authorization", "Bearer c"), ("authorization", "a-token"), ("x", "Bearer a-token")):
        with pytest.raises(NotSignedIn):
            gate.principal([(name, value)])


def test_tokens_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(line("ann", "a-token"))
    tokens = Tokens(file)
    assert tokens.principal("a-token") == "ann"
    file.write_text(line("bob", "b-token"))
    os.utime(file, ns=(1, 1))
    assert (tokens.principal("a-token"), tokens.principal("b-token")) == ("", "bob")
    file.unlink()
    with pytest.raises(StoreUnavailable, match="cannot be read"):  # which callers hear of without the path
        tokens.principal("b-token")


def test_a_token_is_good_until_its_end(tmp_path: Path) -> None:
    file, clock = tmp_path / "tokens", HandClock()
    file.write_text(line("ann", "old").strip() + " 2030-01-01T13:00:00+00:00\n" + line("ann", "new"))
    tokens = Tokens(file, clock)
    assert (tokens.principal("old"), tokens.principal("new")) == ("ann", "ann")
    clock.go(hours=1)
    assert (tokens.principal("old"), tokens.principal("new")) == ("", "ann")


@pytest.mark.parametrize(
    "text", ["ann", "ann " + "00" * 32 + " 2030-01-01T13:00:00", "ann 00", "ann a-token", "ann " + "00" * 32 + " more"]
)
def test_a_line_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="line 2") as told:
        parse_tokens(f"\n{text}", "tokens")
    assert "a-token" not in str(told.value)


def test_how_to_sign_in_everybody_may_ask(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("")
    gate = Gate(Tokens(tmp_path / "tokens"), "http://here")
    for rpc in bind([]):
        if rpc.service == AUTH_METADATA:
            assert gate.call(rpc, (), "peer", 3.0).base_url == "http://here"
        else:
            with pytest.raises(NotSignedIn):
                gate.call(rpc, (), "peer", None)


def test_without_tokens_anybody_may_call() -> None:
    assert Gate().principal([("authorization", "Bearer nonsense")]) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_nothing(host: str) -> None:
    check_reach(Listening(host, 80), Gate(), "--grpc")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "alula.example.org"])
def test_elsewhere_needs_tokens_and_tls(host: str, tmp_path: Path) -> None:
    known = Gate(Tokens(tmp_path / "tokens"))
    with pytest.raises(ConfigError, match="everybody there could run programs"):
        check_reach(Listening(host, 80, "cert", "key"), Gate(), "--grpc", insecure=True)
    with pytest.raises(ConfigError, match="plain text"):
        check_reach(Listening(host, 80), known, "--grpc")
    check_reach(Listening(host, 80), known, "--grpc", insecure=True)
    check_reach(Listening(host, 80, "cert", "key", "authorities"), Gate(), "--grpc")
    with pytest.raises(ConfigError, match="in plain text"):
        check_reach(Listening(host, 80, client_ca_file="authorities"), Gate(), "--grpc")
    check_reach(Listening(host, 80, "cert", "key"), known, "--grpc")


def test_a_certificate_and_its_key_go_together() -> None:
    with pytest.raises(ConfigError, match="go together"):
        check_reach(Listening(cert_file="cert"), Gate(), "--grpc")


@pytest.mark.parametrize(
    ("text", "expected"), [("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:2", ("::1", 2)), (":3", ("127.0.0.1", 3))]
)
def test_an_address_is_read(text: str, expected: tuple[str, int]) -> None:
    assert address(text, "grpc") == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:65536"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        address(text, "grpc")
