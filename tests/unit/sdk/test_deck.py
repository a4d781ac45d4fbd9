from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import pytest

from alula.sdk import deck as room
from alula.sdk.current import Context, Deck, entered
from alula.sdk.deck import DeckField, MarkdownRenderer, page


def tab(name: str, html: str) -> Deck:
    return Deck(name, html, auto_add_to_deck=False)


class Tags(HTMLParser):
    """Every tag of a page with its attributes; `open_tags` is empty at the end of a well-formed one."""

    VOID = frozenset({"meta", "img", "br", "link", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open_tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


def test_a_page_has_a_tab_for_each_deck_in_order() -> None:
    html = page([tab("plots", "<b>1</b>"), tab("default", "<i>2</i>")], title="m.train")
    tags = Tags(html)
    tabs = [attrs for attrs in tags.all("button") if attrs.get("role") == "tab"]
    assert [attrs["aria-controls"] for attrs in tabs] == ["panel0", "panel1"]
    assert [attrs["aria-selected"] for attrs in tabs] == ["true", "false"]
    assert html.index(">plots<") < html.index(">default<")
    assert "<title>m.train</title>" in html
    assert tags.open_tags == []


def test_decks_of_one_name_share_a_tab_and_empty_ones_have_none() -> None:
    html = page([tab("a", "<b>1</b>"), tab("b", " "), tab("a", "<b>2</b>")])
    assert [attrs["id"] for attrs in Tags(html).all("section")] == ["panel0"]
    assert "<b>1</b>" in html
    assert "<b>2</b>" in html


def test_the_tabs_of_the_author_come_first() -> None:
    html = page([tab("Input", "1"), tab("plots", "2"), tab("Output", "3")])
    assert html.index(">plots<") < html.index(">Input<") < html.index(">Output<")


def test_names_and_titles_are_escaped() -> None:
    html = page([tab("<script>alert(1)</script>", "x")], title="</title><script>alert(2)</script>")
    assert "alert(1)</script>" not in html
    assert "alert(2)</script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_content_is_taken_as_html_whatever_it_holds() -> None:
    assert "<p>$title ${x} costs 5$</p>" in page([tab("a", "<p>$title ${x} costs 5$</p>")])


def test_a_whole_document_gets_a_frame_of_its_own() -> None:
    document = '<!DOCTYPE html><html><body class="x"><style>h1 { color: red }</style></body></html>'
    tags = Tags(page([tab("plot", document)]))
    assert [attrs["srcdoc"] for attrs in tags.all("iframe")] == [document]
    assert tags.open_tags == []


def test_a_page_needs_nothing_but_itself() -> None:
    tags = Tags(page([tab("a", "b")]))
    assert [attrs for _, attrs in tags.seen if attrs.keys() & {"src", "href"}] == []
    assert tags.all("link") == []


def test_an_empty_report_says_so() -> None:
    assert "put nothing into its report" in page([])


def test_the_decks_of_a_task_become_its_page() -> None:
    with entered(Context()) as context:
        Deck("notes", MarkdownRenderer().to_html("# Hello"))
        context.default_deck.append("<p>5</p>")
    html = page(context.decks)
    assert "<h1>Hello</h1>" in html
    assert ">default</button>" in html


def test_fields_have_the_titles_that_users_know() -> None:
    assert [field.value for field in DeckField] == ["Input", "Output", "Source Code", "Timeline", "Dependencies"]


def test_renderers_are_imported_when_they_are_used() -> None:
    loaded = "print('pygments' in sys.modules)"
    program = ["import sys, alula.sdk.deck as d", loaded, "d.MarkdownRenderer", loaded]
    done = subprocess.run([sys.executable, "-c", "; ".join(program)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("name", room.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(room, name) is not None
