"""Values to HTML for the tabs of a report: each renderer has `to_html(value) -> str`, and escapes what it is given.

Where to add one: a class here if it needs nothing but the standard library; else in the file of its library.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from alula.errors import CallError

DEFAULT_MAX_ROWS = 10
DEFAULT_MAX_COLS = 100

_MANY = 2**62
"""No table has more rows; a limit that every library takes."""

_IMAGE_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@runtime_checkable
class Renderable(Protocol):
    """Turns a value into HTML; put into `Annotated[T, renderer]` it draws the inputs and outputs of that type."""

    def to_html(self, python_value: Any) -> str: ...


class MarkdownRenderer:
    """Markdown as HTML: CommonMark and tables.

    Args:
        html: Let HTML in the text through; otherwise it is shown as text.
    """

    def __init__(self, *, html: bool = False) -> None:
        self._html = html

    def to_html(self, text: str) -> str:
        rendered: str = MarkdownIt("commonmark", {"html": self._html}).enable("table").render(text)
        return rendered


class TopFrameRenderer:
    """The first rows of a table: a pandas or polars frame, an arrow table, or a list of dicts.

    Args:
        max_rows: Show no more rows than these.
        max_cols: Nor columns.
    """

    def __init__(self, max_rows: int = DEFAULT_MAX_ROWS, max_cols: int = DEFAULT_MAX_COLS) -> None:
        self._max_rows, self._max_cols = max_rows, max_cols

    def to_html(self, df: Any) -> str:
        names, rows, total = _table(df, self._max_rows)
        shown = names[: self._max_cols]
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        body = "".join(f"<tr>{''.join(_cell(value) for value in row[: self._max_cols])}</tr>" for row in rows)
        note = f"{min(total, self._max_rows):,} of {total:,} rows" if total > self._max_rows else f"{total:,} rows"
        columns = f", {len(shown)} of {len(names)} columns" if len(shown) < len(names) else f", {len(names)} columns"
        return (
            f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            f"<p class=note>{note}{columns}</p>"
        )


class TableRenderer(TopFrameRenderer):
    """A whole table, up to a thousand rows."""

    def __init__(self, max_rows: int = 1000, max_cols: int = DEFAULT_MAX_COLS) -> None:
        super().__init__(max_rows, max_cols)


class BoxRenderer:
    """How the numbers of one column lie: a box from the first to the third quartile, a line at the median."""

    def __init__(self, column_name: str) -> None:
        self._column = column_name

    def to_html(self, df: Any) -> str:
        names, rows, _ = _table(df, _MANY)
        if self._column not in names:
            raise CallError(
                f"the table has no column {self._column!r}",
                where="BoxRenderer",
                fix=f"choose from: {', '.join(names)}",
            )
        at = names.index(self._column)
        values = sorted(float(row[at]) for row in rows if isinstance(row[at], (int, float)) and row[at] == row[at])
        if not values:
            return f"<p class=note>{escape(self._column)}: no numbers</p>"
        return _box(self._column, [_quantile(values, share) for share in (0, 0.25, 0.5, 0.75, 1)])


class SourceCodeRenderer:
    """Python source with its words coloured."""

    def __init__(self, title: str = "Source Code") -> None:
        self._title = title

    def to_html(self, source_code: str) -> str:
        return f"<pre class=code><code>{highlight(source_code, PythonLexer(), HtmlFormatter(nowrap=True))}</code></pre>"


class ImageRenderer:
    """A picture, inside the page: PIL image, matplotlib figure, bytes, path, or anything that opens as a file."""

    def to_html(self, image_src: Any) -> str:
        data = _image_bytes(image_src)
        kind = next((name for magic, name in _IMAGE_KINDS.items() if data.startswith(magic)), "")
        if not kind and b"<svg" in data[:1024]:
            kind = "svg+xml"
        if not kind:
            raise CallError(
                f"these bytes are no picture that a browser shows: {data[:8]!r}...",
                where="ImageRenderer",
                fix="pass PNG, JPEG, GIF, WebP or SVG, or a PIL image",
            )
        return f'<img alt="" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


class PythonDependencyRenderer:
    """The distributions that are installed, with their versions."""

    def __init__(self, title: str = "Dependencies") -> None:
        self._title = title

    def to_html(self) -> str:
        found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions() if dist.metadata["Name"]}
        rows = [{"Name": name, "Version": found[name]} for name in sorted(found, key=str.lower)]
        return TableRenderer(max_rows=len(rows)).to_html(rows)


def _table(df: Any, limit: int) -> tuple[list[str], list[Sequence[Any]], int]:
    """Column names, the first rows, and how many rows there are. No library is imported for it."""
    if isinstance(df, Sequence) and not isinstance(df, str) and all(isinstance(row, Mapping) for row in df):
        names = list(dict.fromkeys(str(key) for row in df for key in row))
        return names, [[row.get(name) for name in names] for row in df[:limit]], len(df)
    libraries = {cls.__module__.partition(".")[0].lstrip("_") for cls in type(df).__mro__}
    if "pandas" in libraries and hasattr(df, "columns"):
        named = [name for name in df.index.names if name is not None]
        names = [*map(str, named), *map(str, df.columns)]
        rows = _flat(df.head(limit).itertuples(name=None), len(df.index.names))
        return names, [row if named else row[len(df.index.names) :] for row in rows], len(df)
    if "polars" in libraries and hasattr(df, "lazy"):
        frame = df.collect() if hasattr(df, "collect") else df
        return list(frame.columns), list(frame.head(limit).iter_rows()), frame.height
    if "pyarrow" in libraries and hasattr(df, "to_pylist") and hasattr(df, "column_names"):
        columns = [column.to_pylist() for column in df.slice(0, limit).columns]
        return list(df.column_names), list(zip(*columns, strict=True)), df.num_rows
    if "duckdb" in libraries and hasattr(df, "fetchall"):
        return list(df.columns), df.limit(limit).fetchall(), df.count("*").fetchall()[0][0]
    raise CallError(
        f"a table is expected, got {type(df).__name__}: {df!r:.80}",
        where="TopFrameRenderer",
        fix="pass a pandas or polars frame, an arrow table, or a list of dicts",
    )


def _flat(rows: Iterable[tuple[Any, ...]], levels: int) -> Iterator[tuple[Any, ...]]:
    """Rows of pandas whose first element, the index, is a tuple if it has several levels."""
    for row in rows:
        yield (*row[0], *row[1:]) if levels > 1 else row


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "<td class=missing>missing</td>"
    if isinstance(value, float):
        return f"<td class=number>{value:.6g}</td>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<td class=number>{value}</td>"
    text = str(value)
    return f"<td>{escape(text if len(text) <= 300 else text[:299] + '…')}</td>"


def _quantile(ordered: list[float], share: float) -> float:
    """Linear between the two neighbours, as numpy does by default."""
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _box(name: str, five: list[float]) -> str:
    low, first, middle, third, high = five
    span = (high - low) or 1.0
    x1, xm, x3 = (20 + 560 * (value - low) / span for value in (first, middle, third))
    labels = ("smallest", "1st quartile", "median", "3rd quartile", "largest")
    numbers = "".join(
        f"<tr><th>{label}</th><td class=number>{number:.6g}</td></tr>"
        for label, number in zip(labels, five, strict=True)
    )
    return (
        f"<h3>{escape(name)}</h3><svg class=box viewBox='0 0 600 60' role=img aria-label='{escape(name)}'>"
        f"<path d='M20 30H{x1:.1f}M{x3:.1f} 30H580M20 20V40M580 20V40'/>"
        f"<rect x='{x1:.1f}' y='12' width='{max(x3 - x1, 1):.1f}' height='36' rx='4'/>"
        f"<path d='M{xm:.1f} 12V48'/></svg><table><tbody>{numbers}</tbody></table>"
    )


def _image_bytes(source: Any) -> bytes:
    if isinstance(source, bytes):
        return source
    buffer = io.BytesIO()
    if hasattr(source, "savefig"):
        source.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
        return buffer.getvalue()
    if hasattr(source, "save") and hasattr(source, "getbands"):
        source.save(buffer, format="PNG")
        return buffer.getvalue()
    if hasattr(source, "read"):
        data = source.read()
        if isinstance(data, bytes):
            return data
    try:
        return Path(source).read_bytes()
    except TypeError as exc:
        raise CallError(
            f"a picture is expected, got {type(source).__name__}: {source!r:.80}",
            where="ImageRenderer",
            fix="pass a PIL image, a matplotlib figure, bytes or a path",
        ) from exc
