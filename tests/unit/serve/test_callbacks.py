"""Callback URLs: who may wake what, for how long; and the server that takes them."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from alula.config import CallbacksConfig
from alula.errors import ConfigError
from alula.plugin.runner import AttemptId
from alula.serve.callbacks import Callbacks, Signer, callbacks
from alula.serve.web import callback_routes, serving
from alula.store.memory import MemoryStore

ID = AttemptId("shop", "development", "e1", "n2/n0[3]", 1, "00aabbcc")


@dataclass
class Hands:
    """A clock that is set by hand."""

    time: datetime = field(default_factory=lambda: datetime(2024, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


def signer(clock: Hands | None = None, key: bytes = b"k" * 32) -> Signer:
    return Signer(key, clock or Hands(), 3600)


def test_a_token_stands_for_its_attempt_until_its_time_is_over() -> None:
    clock = Hands()
    made = signer(clock)
    token = made.token(ID)
    assert made.read(token) == signer(clock).read(token) == ID
    clock.time += timedelta(minutes=59)
    assert made.read(token) == ID
    clock.time += timedelta(minutes=1)
    assert made.read(token) is None


def test_another_key_makes_other_tokens() -> None:
    assert signer(key=b"x" * 32).read(signer().token(ID)) is None


@given(at=some.integers(0, 500), put=some.sampled_from("Ab0-_.=% "))
def test_a_token_that_was_changed_is_worth_nothing(at: int, put: str) -> None:
    token = signer().token(ID)
    at %= len(token)
    changed = token[:at] + put + token[at + 1 :]
    # The last characters of both parts have bits that mean nothing.
    loose = (token.index(".") - 1, len(token) - 1)
    assert signer().read(changed) == (ID if changed == token or (at in loose and signer().read(changed)) else None)


@given(some.text(max_size=200))
def test_whatever_is_no_token_is_refused_quietly(text: str) -> None:
    assert signer().read(text) is None


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    config, store = CallbacksConfig(listen="127.0.0.1:0"), MemoryStore()
    first = callbacks(config, store, Hands(), home=tmp_path / "home", shared=False)
    again = callbacks(config, store, Hands(), home=tmp_path / "home", shared=False)
    assert first is not None
    assert again is not None
    assert first.signer.key == again.signer.key
    assert stat.S_IMODE((tmp_path / "home" / "callbacks.key").stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "home").iterdir()] == ["callbacks.key"]
    assert "key" not in repr(first.signer)


@pytest.mark.parametrize(("secret", "said"), [("", "share"), ("short", "characters")])
def test_engines_that_share_a_store_need_a_key_of_some_length(secret: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        callbacks(CallbacksConfig(url="https://a", secret=secret), MemoryStore(), Hands(), home=tmp_path, shared=True)


def test_without_an_address_there_are_no_callbacks(tmp_path: Path) -> None:
    assert callbacks(CallbacksConfig(), MemoryStore(), Hands(), home=tmp_path, shared=True) is None
    assert CallbacksConfig(url="https://a.example/x/").base == "https://a.example/x"
    assert CallbacksConfig(listen="[::1]:80").base == "http://[::1]:80"


@asynccontextmanager
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, Signer]]:
    made = signer()
    routes = callback_routes(Callbacks("http://x", made, MemoryStore()))
    async with (
        serving(routes, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client, made


async def test_every_bad_token_gets_the_same_answer() -> None:
    async with served() as (client, made):
        old = Signer(made.key, Hands(datetime(2020, 1, 1, tzinfo=UTC)), 1)
        answers = [
            await client.post(f"/callbacks/{token}") for token in ("x", "a.b", old.token(ID), made.token(ID) + "A")
        ]
        assert {(one.status_code, one.content) for one in answers} == {(404, b"")}
        assert "server" not in answers[0].headers


async def test_a_good_token_is_taken_again_and_again_also_when_the_execution_is_gone() -> None:
    async with served() as (client, made):
        path = f"/callbacks/{made.token(ID)}"
        assert [(await client.post(path, json={"state": "done"})).status_code for _ in range(3)] == [204, 204, 204]
        assert (await client.get(path)).status_code == 405


async def test_a_body_of_any_size_costs_little() -> None:
    async with served() as (client, made):
        assert (await client.post(f"/callbacks/{made.token(ID)}", content=b"x" * 70_000)).status_code == 413


async def test_an_address_that_is_taken_is_told() -> None:
    async with serving([], "127.0.0.1", 0) as port:
        with pytest.raises(ConfigError, match="nothing can be served"):
            async with serving([], "127.0.0.1", port):
                pass
