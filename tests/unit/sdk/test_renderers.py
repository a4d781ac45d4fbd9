from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import CallError
from alula.sdk.renderers import (
    BoxRenderer,
    ImageRenderer,
    MarkdownRenderer,
    PythonDependencyRenderer,
    Renderable,
    SourceCodeRenderer,
    TableRenderer,
    TopFrameRenderer,
    _quantile,
)

ROWS = [{"name": f"<{n}>", "value": n / 3} for n in range(12)]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def frames() -> list[Any]:
    pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    frame = polars.DataFrame(ROWS)
    return [ROWS, pandas.DataFrame(ROWS), frame, frame.lazy(), arrow.Table.from_pylist(ROWS)]


def test_every_renderer_is_renderable() -> None:
    for renderer in (MarkdownRenderer(), TopFrameRenderer(), SourceCodeRenderer(), ImageRenderer(), BoxRenderer("x")):
        assert isinstance(renderer, Renderable)


def test_markdown_becomes_html_and_its_html_becomes_text() -> None:
    html = MarkdownRenderer().to_html("# Hi\n\n|a|b|\n|-|-|\n|1|2|\n\n<script>alert(1)</script> *x*")
    assert "<h1>Hi</h1>" in html
    assert "<td>1</td>" in html
    assert "<script>" not in html
    assert "<em>x</em>" in html


def test_markdown_lets_html_through_only_when_told() -> None:
    assert "<b>x</b>" in MarkdownRenderer(html=True).to_html("<b>x</b>")


def test_a_table_of_any_library_looks_the_same() -> None:
    drawn = {TopFrameRenderer(max_rows=3).to_html(frame) for frame in frames()}
    (html,) = drawn
    assert "<th>name</th><th>value</th>" in html
    assert html.count("<tr>") == 4
    assert "<td>&lt;1&gt;</td><td class=number>0.333333</td>" in html
    assert "3 of 12 rows, 2 columns" in html


def test_a_named_index_of_pandas_is_a_column() -> None:
    pandas = pytest.importorskip("pandas")
    single = pandas.DataFrame({"v": [1]}, index=pandas.Index(["a"], name="key"))
    double = pandas.DataFrame({"v": [1]}, index=pandas.MultiIndex.from_tuples([("a", "b")], names=["k", "l"]))
    assert "<th>key</th><th>v</th>" in TableRenderer().to_html(single)
    assert "<td>a</td><td>b</td><td class=number>1</td>" in TableRenderer().to_html(double)


def test_a_duckdb_relation_is_a_table() -> None:
    duckdb = pytest.importorskip("duckdb")
    assert "2 of 9 rows" in TopFrameRenderer(max_rows=2).to_html(duckdb.sql("select range as n from range(9)"))


def test_columns_beyond_the_limit_are_counted() -> None:
    html = TopFrameRenderer(max_cols=1).to_html(ROWS)
    assert "1 of 2 columns" in html
    assert "value" not in html


def test_missing_values_are_told_from_text() -> None:
    html = TableRenderer().to_html([{"a": None, "b": math.nan, "c": "nan"}])
    assert html.count("class=missing") == 2
    assert "<td>nan</td>" in html


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(CallError, match="got int: 5"):
        TopFrameRenderer().to_html(5)


def test_a_box_shows_the_quartiles() -> None:
    html = BoxRenderer("v").to_html([{"v": n} for n in [1, 2, 3, 4, 5, None]])
    assert "<th>1st quartile</th><td class=number>2</td>" in html
    assert "<th>median</th><td class=number>3</td>" in html


def test_a_box_of_equal_numbers_or_of_none_can_be_drawn() -> None:
    assert "<rect" in BoxRenderer("v").to_html([{"v": 1}, {"v": 1}])
    assert "no numbers" in BoxRenderer("v").to_html([{"v": "x"}])


def test_a_box_of_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(CallError, match="no column 'w'") as caught:
        BoxRenderer("w").to_html(ROWS)
    assert "name, value" in caught.value.fix


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    numpy = pytest.importorskip("numpy")
    assert _quantile(sorted(values), share) == pytest.approx(float(numpy.quantile(values, share)), abs=1e-6)


def test_source_is_escaped_and_coloured() -> None:
    html = SourceCodeRenderer().to_html("def f(x):  # <b>\n    return 'a' < x\n")
    assert '<span class="nf">f</span>' in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


@pytest.mark.parametrize("how", ["bytes", "path", "str", "file"])
def test_a_picture_is_put_into_the_page(how: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(PIXEL)
    source: Any = {"bytes": PIXEL, "path": path, "str": str(path), "file": io.BytesIO(PIXEL)}[how]
    expected = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert expected in ImageRenderer().to_html(source)


def test_pictures_of_pillow_and_matplotlib_are_drawn() -> None:
    image, plots = pytest.importorskip("PIL.Image"), pytest.importorskip("matplotlib.figure")
    assert "data:image/png" in ImageRenderer().to_html(image.new("RGB", (2, 2)))
    assert "data:image/png" in ImageRenderer().to_html(plots.Figure((1, 1)))


def test_svg_is_a_picture() -> None:
    assert "data:image/svg+xml" in ImageRenderer().to_html(b"<?xml version='1.0'?><svg></svg>")


@pytest.mark.parametrize("source", [b"nothing", 5])
def test_what_is_no_picture_is_refused(source: Any) -> None:
    with pytest.raises(CallError, match="ImageRenderer"):
        ImageRenderer().to_html(source)


def test_dependencies_are_listed_with_their_versions() -> None:
    from importlib.metadata import version

    html = PythonDependencyRenderer().to_html()
    assert f"<td>protobuf</td><td>{version('protobuf')}</td>" in html
