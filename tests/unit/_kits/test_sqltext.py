"""SQL with templates, taken apart: values never become text, and what is not code is left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.sqltext import DUCKDB, KEY, MYSQL, POSTGRES, SNOWFLAKE, SQLITE, Ask, Dialect, parse

ALL = [POSTGRES, MYSQL, DUCKDB, SQLITE, SNOWFLAKE]


def rendered(text: str, dialect: Dialect = POSTGRES, **values: object) -> tuple[str, list[object]]:
    query = parse(text, dialect)
    assert not query.faults
    return query.render(values, lambda n: f"${n}", empty="none")


@pytest.mark.parametrize("dialect", ALL, ids=lambda one: one.name)
def test_a_template_becomes_a_parameter(dialect: Dialect) -> None:
    text, given = rendered("select {{ .inputs.a }}, {{.Inputs.b}} , {{ inputs.a}}", dialect, a=1, b="x' or 1=1 --")
    assert text == "select $1, $2 , $3"
    assert given == [1, "x' or 1=1 --", 1]


def test_quotes_around_a_whole_template_are_those_of_pasting_and_go() -> None:
    assert rendered("select '{{ .inputs.a }}'", a=1) == ("select $1", [1])


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (POSTGRES, "select '%{{ .inputs.a }}%'"),
        (POSTGRES, "select 'it''s {{ .inputs.a }}'"),
        (POSTGRES, r"select E'it\'s {{ .inputs.a }}'"),
        (POSTGRES, "select $tag$ {{ .inputs.a }} $tag$"),
        (POSTGRES, "select $$ {{ .inputs.a }} $$"),
        (POSTGRES, 'select "{{ .inputs.a }}"'),
        (MYSQL, r"select 'it\'s {{ .inputs.a }}'"),
        (MYSQL, 'select "x {{ .inputs.a }}"'),
        (MYSQL, "select `x{{ .inputs.a }}`"),
        (SQLITE, "select [x {{ .inputs.a }}]"),
        (DUCKDB, "select $$ {{ .inputs.a }} $$"),
        (SNOWFLAKE, "select 'x {{ .inputs.a }}"),
    ],
)
def test_a_template_inside_of_a_string_or_a_name_is_a_fault(dialect: Dialect, text: str) -> None:
    query = parse(text, dialect)
    assert len(query.faults) == 1
    assert "inside of a" in query.faults[0]
    assert not query.names


@pytest.mark.parametrize(
    ("dialect", "comment"),
    [
        (POSTGRES, "-- {{ .inputs.a }} '\n"),
        (POSTGRES, "/* {{ .inputs.a }} /* ' */ {{ .inputs.b }} */"),
        (MYSQL, "# {{ .inputs.a }} '\n"),
        (SQLITE, "/* {{ .inputs.a }} */"),
    ],
)
def test_a_template_in_a_comment_is_comment(dialect: Dialect, comment: str) -> None:
    text, given = rendered(f"select 1 {comment} , {{{{ .inputs.c }}}}", dialect, c=5)
    assert (text, given) == (f"select 1 {comment} , $1", [5])


@pytest.mark.parametrize("text", ["select {{ .foo }}", "select {{ a }}", "select {{}}", "select {{ .inputs.a.b }}"])
def test_a_template_that_stands_for_nothing_is_a_fault(text: str) -> None:
    assert "which stands for nothing" in parse(text, POSTGRES).faults[0]


@pytest.mark.parametrize("text", ["x in {{ .inputs.l }}", "x IN ({{ .inputs.l }})", "x not in ( {{.inputs.l}} )"])
def test_a_list_after_in_stands_for_its_items(text: str) -> None:
    made, given = rendered(f"select 1 where {text}", l=[1, "a'", None])
    assert re.sub(r"\s", "", made).endswith("in($1,$2,$3)") or re.sub(r"\s", "", made).endswith("IN($1,$2,$3)")
    assert given == [1, "a'", None]
    assert rendered(f"select 1 where {text}", l=[])[0].replace(" ", "").endswith("(none)")


def test_a_list_elsewhere_stays_one_value() -> None:
    assert rendered("select 1 where x = any({{ .inputs.l }})", l=[1, 2]) == ("select 1 where x = any($1)", [[1, 2]])
    assert rendered("select within {{ .inputs.l }}", l=[1]) == ("select within $1", [[1]])


def test_an_empty_list_is_refused_where_the_database_has_nothing_for_it() -> None:
    with pytest.raises(ValueError, match="gets an empty list for 'l' after IN"):
        parse("x in {{ .inputs.l }}", POSTGRES).render({"l": []}, str, empty=None)


def test_the_key_of_the_attempt_is_a_value_like_others() -> None:
    query = parse("insert into x values ({{ .perRetryUniqueKey }})", POSTGRES)
    assert (query.parts[1], query.names) == (Ask(KEY, listed=False), set())


hostile = st.text(alphabet=st.sampled_from("'\"`\\;-/*#$%?:{}[]().x i\n\0é\U0001f600")) | st.text()


@given(hostile, st.sampled_from(ALL))
def test_whatever_a_value_holds_the_statement_stays_as_it_is(value: str, dialect: Dialect) -> None:
    text, given_ = rendered("select {{ .inputs.a }} as a -- it's", dialect, a=value)
    assert (text, given_) == ("select $1 as a -- it's", [value])


@given(hostile, st.sampled_from(ALL))
def test_a_statement_without_templates_is_sent_as_it_was_written(text: str, dialect: Dialect) -> None:
    query = parse(text, dialect)
    if "{{" not in text:
        assert not query.faults
        assert query.render({}, str)[0] == text


@given(hostile, hostile, st.sampled_from(ALL))
def test_every_template_is_a_parameter_a_comment_or_a_fault(before: str, after: str, dialect: Dialect) -> None:
    query = parse(f"{before} {{{{ .inputs.a }}}} {after}", dialect)
    kept = "".join(part for part in query.parts if isinstance(part, str))
    in_text = "{{ .inputs.a }}" in kept
    assert query.names == {"a"} or query.faults or in_text
    text, _ = query.render({"a": "VALUE", KEY: ""}, lambda n: "?") if query.names <= {"a"} else ("", [])
    assert "VALUE" not in text
