"""Tokens for Google: the rules that narrow them, and how they are come by."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from alula._kits.bridge import run
from alula.config import Lending
from alula.data.credentials import lend, secrets
from alula.data.downscoping import boundary
from alula.data.settings import Reach, StoreSettings
from alula.errors import DataError


def rules(read: tuple[str, ...], write: tuple[str, ...]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = boundary(Reach(read, write))["accessBoundary"]["accessBoundaryRules"]
    return found


def test_what_is_written_may_be_changed_and_what_is_read_seen() -> None:
    change, view = rules(("gs://b/in",), ("gs://b/run/7/",))
    assert change["availablePermissions"] == ["inRole:roles/storage.objectAdmin"]
    assert view["availablePermissions"] == ["inRole:roles/storage.objectViewer"]
    assert change["availableResource"] == "//storage.googleapis.com/projects/_/buckets/b"
    listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')"
    name = "projects/_/buckets/b/objects/run/7"
    assert change["availabilityCondition"] == {
        "expression": f"resource.name == '{name}' || resource.name.startsWith('{name}/')"
        f" || {listed} == 'run/7' || {listed}.startsWith('run/7/')"
    }


def test_quotes_in_names_do_not_end_the_text() -> None:
    [rule] = rules(("gs://b/it's \\ so",), ())
    assert "objects/it\\'s \\\\ so'" in str(rule["availabilityCondition"]["expression"])  # type: ignore[index]


def test_names_below_others_need_no_claim_of_their_own() -> None:
    assert rules(("gs://b/a", "gs://b/a/b", "gs://b/a-b"), ()) == rules(("gs://b/a", "gs://b/a-b"), ())
    assert len(rules((), ("gs://b/a",))) == 1
    assert "availabilityCondition" not in rules(("gs://b",), ())[0]


def test_a_token_takes_ten_rules() -> None:
    with pytest.raises(DataError, match="11 rules"):
        boundary(Reach(tuple(f"gs://b{number}/x" for number in range(11)), ()))


class Google(BaseHTTPRequestHandler):
    """The two services that give tokens."""

    asked: list[dict[str, str]]

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        self.asked.append(form)
        refused = form.get("subject_token") == "stale"
        answer = {"error": "invalid_request", "error_description": "it is stale"} if refused else {}
        answer |= {} if refused else {"access_token": f"token of {form['grant_type'].rpartition(':')[2]}"}
        self.send_response(400 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def google() -> Iterator[tuple[str, list[dict[str, str]]]]:
    class Handler(Google):
        asked: list[dict[str, str]] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/token", Handler.asked
    server.shutdown()
    server.server_close()


def test_a_token_of_ones_own_is_exchanged(google: tuple[str, list[dict[str, str]]]) -> None:
    url, asked = google
    settings = StoreSettings(gs={"bearer_token": "mine", "task_token_url": url})
    variables = run(lend(settings, read=["gs://b/in"], write=["gs://b/out"], seconds=60))
    assert variables == {"CLOUDSDK_AUTH_ACCESS_TOKEN": "token of token-exchange"}
    assert secrets(variables) == {"token of token-exchange"}
    assert asked[0]["subject_token"] == "mine"
    assert json.loads(unquote(asked[0]["options"])) == boundary(Reach(("gs://b/in",), ("gs://b/out",)))


def test_a_refusal_is_told_without_the_token(google: tuple[str, list[dict[str, str]]]) -> None:
    settings = StoreSettings(gs={"bearer_token": "stale", "task_token_url": google[0]})
    with pytest.raises(DataError, match="HTTP 400: invalid_request: it is stale") as caught:
        run(lend(settings, read=["gs://b/in"], write=[], seconds=60))
    assert "subject_token" not in str(caught.value)


def test_the_key_of_a_service_account_signs_for_a_token(
    google: tuple[str, list[dict[str, str]]], tmp_path: Path
) -> None:
    url, asked = google
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = {
        "type": "service_account",
        "client_email": "engine@x",
        "private_key": private.private_bytes(*form).decode(),
        "private_key_id": "7",
        "token_uri": url,
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    settings = StoreSettings.from_env(
        {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "ALULA__STORAGE__GS__TASK_TOKEN_URL": url}
    )
    variables = run(lend(settings, read=["gs://b/in"], write=[], seconds=60))
    assert variables == {"CLOUDSDK_AUTH_ACCESS_TOKEN": "token of token-exchange"}
    head, body, signature = asked[0]["assertion"].split(".")
    signed = base64.urlsafe_b64decode(signature + "==")
    private.public_key().verify(signed, f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("engine@x", url, 60)
    assert asked[1]["subject_token"] == "token of jwt-bearer"

    own = StoreSettings.from_env({"GOOGLE_APPLICATION_CREDENTIALS": str(path), "ALULA__STORAGE__TASKS": "own"})
    assert own.tasks is Lending.OWN
    given = run(lend(own, read=["gs://b/in"], write=[], seconds=60))
    assert list(given.values()) == [path.read_text()]  # the file is not where the task is


def test_a_key_that_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"type": "service_account", "private_key": "very secret", "client_email": "x"}')
    for settings in ({"service_account": str(path)}, {"application_credentials": str(path)}):
        with pytest.raises(DataError, match="cannot be read") as caught:
            run(lend(StoreSettings(gs=settings), read=["gs://b/in"], write=[], seconds=60))
        assert "very secret" not in f"{caught.value}{caught.value.__cause__}"
        assert caught.value.where == str(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        run(lend(StoreSettings(gs={"service_account": "/nothing"}), read=["gs://b/in"], write=[], seconds=60))


def test_an_emulator_lends_its_address() -> None:
    settings = StoreSettings(gs={"base_url": "http://gs:4443"})
    assert run(lend(settings, read=["gs://b/in"], write=[], seconds=60)) == {"STORAGE_EMULATOR_HOST": "http://gs:4443"}
