from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import Unknown
from alula.hosting.secrets import STRUCK, Censor, Secrets
from alula.plugin.failure import AttemptFailure
from alula.plugin.phase import LogLink, Phase, PhaseInfo


@pytest.fixture
def censor() -> Iterator[Censor]:
    made = Censor()
    yield made
    made.close()


async def test_a_secret_comes_from_our_variable_then_flytes_then_a_file(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "password").write_text("from-file\n")
    (tmp_path / "plain").write_text("plain-file")
    environ = {"_FSEC_DB_PASSWORD": "from-flyte"}
    assert await Secrets(environ, tmp_path).get("password", "db") == "from-flyte"
    assert await Secrets({**environ, "ALULA_SECRET_DB_PASSWORD": "ours"}, tmp_path).get("password", "db") == "ours"
    assert await Secrets({}, tmp_path).get("password", "db") == "from-file"
    assert await Secrets({}, tmp_path).get("plain") == "plain-file"


async def test_one_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Unknown) as missed:
        await Secrets({}, tmp_path).get("password", "db")
    said = str(missed.value)
    assert "there is no secret 'password' of the group 'db'" in said
    for place in ("ALULA_SECRET_DB_PASSWORD", "_FSEC_DB_PASSWORD", str(tmp_path / "db" / "password")):
        assert place in said


@pytest.mark.parametrize("key", ["../../etc/passwd", "..", "a/b"])
async def test_no_name_leads_out_of_the_directory(tmp_path: Path, key: str) -> None:
    (tmp_path.parent / "etc").mkdir(exist_ok=True)
    with pytest.raises(Unknown):
        await Secrets({}, tmp_path).get(key)


SECRET = 'pa$$ wörd/"1"\n+x'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_all_forms_in_which_it_comes_back_are_struck_out(censor: Censor, form: str) -> None:
    censor.lend(SECRET)
    assert "rd" not in censor.text(f"<{form}>").replace("word", "")
    assert STRUCK in censor.text(f"<{form}>")
    assert censor.holds(form)


def test_it_is_struck_out_of_everything_that_a_plugin_says(censor: Censor) -> None:
    censor.lend("hunter22")
    info = PhaseInfo(
        Phase.FAILED,
        "as hunter22",
        links=(LogLink("hunter22", "https://u:hunter22@h"),),
        custom={"a": ["hunter22", {"hunter22": 1}]},
        failure=AttemptFailure("hunter22", "bad hunter22"),
    )
    assert "hunter22" not in repr(censor.info(info))
    assert censor.info(info).failure == AttemptFailure(STRUCK, f"bad {STRUCK}")


def test_a_short_one_is_struck_out_where_it_stands_alone(censor: Censor) -> None:
    censor.lend("ab")
    assert censor.text("ab cabbage ab") == f"{STRUCK} cabbage {STRUCK}"


@given(st.text(min_size=4, max_size=30).filter(lambda text: text.strip("*") and text.strip()), st.text(max_size=50))
def test_whatever_it_is_nothing_of_it_is_left(secret: str, around: str) -> None:
    censor = Censor()
    try:
        censor.lend(secret)
        assert secret not in censor.text(around + secret + around).replace(STRUCK, "")
    finally:
        censor.close()


def test_it_is_struck_out_of_the_log_of_every_library(censor: Censor, caplog: pytest.LogCaptureFixture) -> None:
    censor.lend("hunter22")
    log = logging.getLogger("vendor.client")
    log.warning("connecting as %s", "hunter22")
    try:
        raise ValueError("no hunter22")
    except ValueError:
        log.exception("it failed")
    assert "hunter22" not in caplog.text
    assert f"connecting as {STRUCK}" in caplog.text
    assert f"ValueError: no {STRUCK}" in caplog.text


def test_those_of_two_plugins_are_struck_out_of_one_traceback(censor: Censor, caplog: pytest.LogCaptureFixture) -> None:
    other = Censor()
    censor.lend("hunter22")
    other.lend("hunter33")
    try:
        raise ValueError("neither hunter22 nor hunter33")
    except ValueError:
        logging.getLogger("vendor.client").exception("it failed")
    finally:
        other.close()
    assert f"ValueError: neither {STRUCK} nor {STRUCK}" in caplog.text


def test_it_is_struck_out_of_the_facts_that_are_logged(censor: Censor, caplog: pytest.LogCaptureFixture) -> None:
    censor.lend("hunter22")
    facts = {"error": ValueError("no hunter22"), "url": "https://u:hunter22@h", "tries": 3, "keys": ["hunter22"]}
    logging.getLogger("vendor.client").warning("it failed", extra=facts)
    [record] = caplog.records
    said = (record.__dict__[name] for name in facts)
    assert list(said) == [f"no {STRUCK}", f"https://u:{STRUCK}@h", 3, f"['{STRUCK}']"]


def test_loggers_make_records_as_before_once_all_are_closed() -> None:
    before = logging.Logger.makeRecord
    for _ in range(3):
        one, other = Censor(), Censor()
        one.lend("hunter22")
        other.lend("hunter33")
        one.close()
        other.close()
    assert logging.Logger.makeRecord is before


def test_the_log_is_left_alone_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    one, other = Censor(), Censor()
    one.lend("hunter22")
    other.lend("hunter33")
    one.close()
    logging.getLogger("vendor.client").warning("hunter22 hunter33")
    assert "hunter22 ***" in caplog.text
    other.close()
    logging.getLogger("vendor.client").warning("now hunter33")
    assert "now hunter33" in caplog.text
