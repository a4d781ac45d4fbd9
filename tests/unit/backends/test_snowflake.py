"""The plugin `snowflake`, call by call, against a server that follows the published SQL API."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import jwt
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from alula import Secret, StructuredDataset, kwtypes
from alula.backends.snowflake.api import request_id
from alula.backends.snowflake.plugin import Snowflake, SnowflakeSettings, Statement
from alula.data.stores import Objects
from alula.errors import Rejected, RemoteError, RemoteNotFound, Throttled
from alula.idl import Literal, literals
from alula.plugin.phase import Phase
from alula.tasks.snowflake import SnowflakeConfig, SnowflakeTask
from tests.servers.snowflake import SqlApiServer
from tests.unit.backends.lending import lent, template_of

SETTINGS = SnowflakeSettings(account="my_org-acc", user="who", token="snow/token", database="DB", warehouse="W")
query = SnowflakeTask(
    name="recent",
    query="select * from x where x.time < {{ .inputs.time }} and kind in ({{ .inputs.kinds }})",
    inputs=kwtypes(time=datetime, kinds=list[str]),
    output_schema_type=StructuredDataset,
)
INPUTS = {
    "time": literals.timestamp(datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
    "kinds": literals.collection([literals.string("a'; drop table x; --"), literals.string("{{ .inputs.time }}")]),
}


async def opened(server: SqlApiServer, settings: SnowflakeSettings = SETTINGS, **secrets: str) -> Snowflake:
    plugin = Snowflake(settings, transport=server.transport)

    async def secret(key: str, group: str = "") -> str:
        return {"token": "t0ken", **secrets}[key]

    plugin.secret = secret  # type: ignore[method-assign]
    await plugin.open()
    return plugin


def attempt(entity: Any = query, inputs: dict[str, Literal] | None = None, **more: Any) -> Any:
    return lent(template_of(entity), INPUTS if inputs is None else inputs, **more)


async def test_values_travel_apart_from_the_statement_with_their_types() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    await plugin.create(attempt())
    [one] = server.live()
    assert one.body["statement"] == "select * from x where x.time < ? and kind in (?, ?)"
    assert one.body["bindings"] == {
        "1": {"type": "TIMESTAMP_LTZ", "value": "1704164645678901000"},
        "2": {"type": "TEXT", "value": "a'; drop table x; --"},
        "3": {"type": "TEXT", "value": "{{ .inputs.time }}"},
    }
    assert (one.body["database"], one.body["warehouse"]) == ("DB", "W")


async def test_a_statement_is_tagged_with_the_name_of_its_attempt_and_found_by_it() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    task = attempt()
    assert await plugin.find(task) is None
    key = await plugin.create(task)
    [one] = server.live()
    assert one.tag == task.name
    assert await plugin.find(task) == key
    assert [owned.name for owned in await plugin.owned()] == [task.name]
    [owned] = await plugin.owned()
    await plugin.reclaim(owned)
    assert not server.live()


async def test_a_statement_whose_answer_was_lost_is_started_once() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    task = attempt()
    server.lose_next_answer = True
    with pytest.raises(RemoteError, match="the answer was lost"):
        await plugin.create(task)
    key = await plugin.create(task)
    assert [one.handle for one in server.live()] == [key.handle]
    assert {query["requestId"] for _, _, query in server.requests} == {request_id(task.name)}


async def test_another_attempt_is_another_statement() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    await plugin.create(attempt(number=0))
    await plugin.create(attempt(number=1))
    assert len(server.live()) == 2


async def test_a_statement_runs_then_succeeds_and_its_partitions_become_one_table(tmp_path: Path) -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    objects = Objects()
    task = attempt(objects=objects, prefix=str(tmp_path))
    key = await plugin.create(task)
    [running] = await plugin.get([key])
    assert not isinstance(running, RemoteError)
    assert plugin.phase(task, running).phase is Phase.RUNNING
    columns = [
        {"name": "N", "type": "fixed", "precision": 38, "scale": 0},
        {"name": "I", "type": "fixed", "precision": 9, "scale": 0},
        {"name": "D", "type": "fixed", "precision": 10, "scale": 2},
        {"name": "F", "type": "real"},
        {"name": "B", "type": "boolean"},
        {"name": "S", "type": "text"},
        {"name": "J", "type": "variant"},
        {"name": "BY", "type": "binary"},
        {"name": "DAY", "type": "date"},
        {"name": "T", "type": "time"},
        {"name": "NTZ", "type": "timestamp_ntz"},
        {"name": "LTZ", "type": "timestamp_ltz"},
        {"name": "TZ", "type": "timestamp_tz"},
    ]
    row = ["1", "2", "3.50", "1.5", "true", "é'", '{"a": 1}', "00ff", "19724", "11045.678901000"]
    row += ["1704164645.678901000", "1704164645.678901000", "1704164645.678901000 1560"]
    server.finish(server.live()[0], columns, [[row], [[None] * len(columns)], []])
    [done] = await plugin.get([key])
    assert not isinstance(done, RemoteError)
    info = plugin.phase(task, done)
    assert (info.phase, info.outputs, info.custom["rows"]) == (Phase.SUCCEEDED, None, 2)
    outputs = await plugin.outputs(task, key, done)
    assert outputs is not None
    table = pq.read_table(outputs.literals["results"].scalar.structured_dataset.uri)
    moment = datetime(2024, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001
    first, second = table.to_pylist()
    assert first == {
        "N": Decimal(1),
        "I": 2,
        "D": Decimal("3.50"),
        "F": 1.5,
        "B": True,
        "S": "é'",
        "J": '{"a": 1}',
        "BY": b"\x00\xff",
        "DAY": date(2024, 1, 2),
        "T": moment.time(),
        "NTZ": moment,
        "LTZ": moment.replace(tzinfo=UTC),
        "TZ": moment.replace(tzinfo=UTC),
    }
    assert set(second.values()) == {None}


async def test_a_cancelled_statement_is_gone_and_one_that_is_over_may_be_cancelled() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    task = attempt()
    key = await plugin.create(task)
    await plugin.delete(key)
    assert not server.live()
    await plugin.delete(key)
    [answer] = await plugin.get([key])
    assert not isinstance(answer, RemoteError)
    assert plugin.phase(task, answer).phase is Phase.ABORTED
    await plugin.delete(Statement("unknown", key.account, key.user, token=key.token))


async def test_a_failed_statement_says_what_snowflake_said_and_a_lock_can_be_tried_again() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    for code, recoverable in (("001003", False), ("000625", True)):
        task = attempt(number=int(recoverable))
        key = await plugin.create(task)
        server.fail(server.live()[0], code=code, message="no such table X")
        [answer] = await plugin.get([key])
        assert not isinstance(answer, RemoteError)
        info = plugin.phase(task, answer)
        assert info.phase is Phase.FAILED
        assert info.failure is not None
        assert info.failure.recoverable is recoverable
        assert "no such table X" in info.failure.message
        assert "SQLSTATE 42000" in info.failure.message


async def test_what_snowflake_says_of_itself_is_not_the_users_fault() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    key = await plugin.create(attempt())
    server.trouble = [httpx.Response(429, headers={"Retry-After": "7"}, text="slow down")]
    [answer] = await plugin.get([key])
    assert isinstance(answer, Throttled)
    assert answer.retry_after == 7
    server.trouble = [httpx.Response(500, text="oops"), httpx.Response(200, text="<html>")]
    for _ in range(2):
        [answer] = await plugin.get([key])
        assert isinstance(answer, RemoteError)
        assert not isinstance(answer, Rejected)
    [gone] = await plugin.get([Statement("gone", key.account, key.user, token=key.token)])
    assert isinstance(gone, RemoteNotFound)


async def test_who_is_not_let_in_is_told_so_before_anything_runs() -> None:
    server = SqlApiServer(lambda headers: False)
    plugin = await opened(server)
    with pytest.raises(Rejected, match="does not let us in") as raised:
        await plugin.create(attempt())
    assert raised.value.code == "NotAuthorized"
    nobody = await opened(server, SnowflakeSettings(account="a"))
    with pytest.raises(Rejected, match="needs an account, and a user with a private key or a token"):
        await nobody.create(attempt())


async def test_a_token_is_sent_as_what_it_is() -> None:
    seen: list[httpx.Headers] = []
    server = SqlApiServer(lambda headers: bool(seen.append(headers)) or True)  # type: ignore[arg-type, func-returns-value]
    await (await opened(server)).create(attempt())
    assert seen[0]["Authorization"] == "Bearer t0ken"
    assert seen[0]["X-Snowflake-Authorization-Token-Type"] == "PROGRAMMATIC_ACCESS_TOKEN"


def pem(passphrase: str = "") -> tuple[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode()
    return text, key.public_key()


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
async def test_a_key_pair_signs_tokens_and_a_refused_one_is_made_anew(passphrase: str) -> None:
    text, public = pem(passphrase)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    print_of_key = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    tokens: list[str] = []

    def check(headers: Any) -> bool:
        assert headers["X-Snowflake-Authorization-Token-Type"] == "KEYPAIR_JWT"
        tokens.append(headers["Authorization"].removeprefix("Bearer "))
        claims = jwt.decode(tokens[-1], public, algorithms=["RS256"])
        assert claims["iss"] == f"ORG-ACC.WHO.{print_of_key}"
        assert claims["sub"] == "ORG-ACC.WHO"
        assert claims["exp"] - claims["iat"] <= 3600
        return len(tokens) > 1

    config = SnowflakeConfig(
        account="org-acc.eu-central-1",
        user="who",
        private_key=Secret(group="snow", key="pem"),
        passphrase=Secret(group="snow", key="phrase") if passphrase else None,
    )
    task = SnowflakeTask(name="t", query="select 1", task_config=config)
    plugin = await opened(SqlApiServer(check), SnowflakeSettings(), pem=text, phrase=passphrase)
    key = await plugin.create(attempt(task, {}))
    assert len(tokens) == 2
    assert "BEGIN" not in repr(key)


async def test_a_wrong_key_is_no_mystery() -> None:
    settings = SnowflakeSettings(account="a", user="u", private_key="snow/pem")
    plugin = await opened(SqlApiServer(), settings, pem="no key")
    with pytest.raises(Rejected, match="no private key in PEM form"):
        await plugin.create(attempt())


async def test_a_statement_with_a_fault_is_refused_before_it_is_sent() -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    template = template_of(query)
    template.sql.statement = "select '{{ .inputs.time }} o''clock', {{ .what }}"
    with pytest.raises(Rejected, match="inside of a string"):
        await plugin.create(lent(template, INPUTS))
    assert not server.requests


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (literals.none(), "TEXT", None),
        (literals.integer(-5), "FIXED", "-5"),
        (literals.floating(0.1), "REAL", "0.1"),
        (literals.boolean(True), "BOOLEAN", "true"),
        (literals.duration(timedelta(seconds=90, microseconds=1)), "REAL", "90.000001"),
        (literals.collection([literals.integer(1)]), "TEXT", "[1]"),
        (literals.binary(b"\xc4\x01\xff"), "BINARY", "ff"),
    ],
)
async def test_each_kind_of_value_has_its_type(value: Literal, kind: str, text: str | None) -> None:
    server = SqlApiServer()
    plugin = await opened(server)
    template = template_of(query)
    template.sql.statement = "select {{ .inputs.x }}"
    await plugin.create(lent(template, {"x": value}))
    assert server.live()[0].body["bindings"]["1"] == {"type": kind, "value": text}
