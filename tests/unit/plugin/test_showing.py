import json
import math

from hypothesis import given
from hypothesis import strategies as st

from alula.plugin.phase import LogLink, Phase, PhaseInfo
from alula.plugin.showing import CUT, NOTHING_SHOWN, Shown, pack, read

plain = st.text(st.characters(exclude_categories=("C", "Z")), max_size=30)
leaves = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
facts = st.recursive(
    leaves | plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4), max_leaves=12
)
infos = st.builds(
    PhaseInfo,
    st.sampled_from(Phase),
    plain,
    st.none() | st.floats(0, 1),
    st.lists(st.builds(LogLink, plain, plain.map(lambda text: f"https://x/{text}")), max_size=3).map(tuple),
    st.dictionaries(plain, facts, max_size=4),
)


@given(infos)
def test_what_was_packed_is_read_again(info: PhaseInfo) -> None:
    assert read(pack(info)) == Shown(info.phase, info.reason, info.progress, info.links, info.custom)


@given(infos)
def test_equal_infos_give_equal_bytes(info: PhaseInfo) -> None:
    turned = dict(reversed(info.custom.items()))
    assert pack(info) == pack(PhaseInfo(info.phase, info.reason, info.progress, info.links, turned))


@given(st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), facts))
def test_bytes_of_anybody_are_read(data: bytes) -> None:
    assert isinstance(read(data), Shown)


def test_nested_lists_without_an_end_are_nothing() -> None:
    assert read(b"[" * 100_000) == NOTHING_SHOWN
    assert read(b'{"custom":{"a":' + b"[" * 500 + b"]" * 500 + b"}}").custom["a"] != []


def test_links_that_run_in_a_browser_are_dropped() -> None:
    links = (LogLink("bad", "javascript://x/%0aalert(1)"), LogLink("good", "https://x/1"), LogLink("no", "data:,x"))
    assert read(pack(PhaseInfo(Phase.RUNNING, links=links))).links == (LogLink("good", "https://x/1"),)


def test_numbers_that_json_does_not_have_become_text() -> None:
    custom = {"nan": math.nan, "inf": math.inf, "huge": 2**80}
    assert read(pack(PhaseInfo(Phase.RUNNING, custom=custom))).custom == {
        "nan": "nan",
        "inf": "inf",
        "huge": hex(2**80),
    }


def test_what_is_too_long_is_cut() -> None:
    shown = read(pack(PhaseInfo(Phase.RUNNING, "x" * 10_000, 7.0, custom={"a": "y" * 100_000})))
    assert len(shown.reason) == 2_000
    assert shown.reason.endswith(" ...")
    assert shown.progress == 1.0
    assert shown.custom == CUT


def test_control_characters_do_not_reach_terminals() -> None:
    assert read(pack(PhaseInfo(Phase.RUNNING, "a\x1b[31mb\0c\ud800"))).reason == "a [31mb c\\ud800"
