"""Links say what may be done, to nobody but who has them, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alula.services.links import PATH, Grant, Links


@dataclass
class Hands:
    """A clock that is set by hand."""

    time: datetime = field(default_factory=lambda: datetime(2030, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


KEY = b"k" * 32
LINKS = Links(KEY, Hands())


def token_of(url: str) -> str:
    return url.partition(f"{PATH}/")[2]


@given(st.sampled_from(["GET", "PUT"]), st.text(), st.binary(min_size=16, max_size=16) | st.just(b""))
def test_a_link_is_read_as_it_was_made(verb: str, uri: str, md5: bytes) -> None:
    url, _ = LINKS.url(Grant(verb, uri, md5, base="https://a.example"))
    assert url.startswith(f"https://a.example{PATH}/")
    assert LINKS.read(token_of(url)) == Grant(verb, uri, md5)


@given(st.text(max_size=60), st.integers(0, 200), st.characters(min_codepoint=33, max_codepoint=126))
def test_what_was_changed_is_worth_nothing(noise: str, place: int, char: str) -> None:
    token = token_of(LINKS.url(Grant("GET", "/data/x"))[0])
    assert LINKS.read(noise) is None
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    assert LINKS.read(changed) in (None, Grant("GET", "/data/x"))  # some bits at the end of base64 stand for nothing


def test_another_key_reads_nothing() -> None:
    assert Links(b"other" * 8, Hands()).read(token_of(LINKS.url(Grant("GET", "/x"))[0])) is None


def test_the_time_of_a_link_is_over_some_day_whatever_was_asked_for() -> None:
    clock = Hands()
    links = Links(KEY, clock)
    url, until = links.url(Grant("GET", "/x"), lasting=timedelta(days=1000))
    assert until - clock.now() == timedelta(days=1)
    clock.time += timedelta(days=1, seconds=-1)
    assert links.read(token_of(url)) is not None
    clock.time += timedelta(seconds=1)
    assert links.read(token_of(url)) is None
