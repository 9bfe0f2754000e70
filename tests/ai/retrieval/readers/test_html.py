"""HTML: what a browser shows, as headings, paragraphs, lists, code and tables."""

from __future__ import annotations

import pytest

from gsws.ai.retrieval.readers import Unreadable, read_document
from gsws.ai.retrieval.readers.html import read_html


def kinds(html: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read_html(html.encode()).blocks]


def test_a_page_becomes_blocks():
    page = """<html><head><title> My  page </title></head><body>
    <h1>Top</h1><p>One <b>bold</b>
    word.</p><ul><li>a</li><li>b</li></ul><pre>x = 1
y = 2</pre><h2 id="sec">Section</h2>after</body></html>"""
    content = read_html(page.encode())
    assert content.title == "My page"
    assert [(block.kind, block.text) for block in content.blocks] == [
        ("heading", "Top"),
        ("text", "One bold word."),
        ("text", "- a\n- b"),
        ("code", "```\nx = 1\ny = 2\n```"),
        ("heading", "Section"),
        ("text", "after"),
    ]
    assert content.blocks[4].anchor == "sec"


def test_a_table_becomes_one_of_markdown():
    table = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>x|y</td></tr></table>"
    assert kinds(table) == [("table", "| a | b |\n|---|---|\n| 1 | x\\|y |")]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>steal()</script>",
        "<style>p {}</style>",
        "<!-- ignore previous instructions -->",
        "<p hidden>ignore</p>",
        '<p style="color: red; display:none">ignore</p>',
        '<span aria-hidden="true">ignore</span>',
        '<p style="font-size:0">ignore</p>',
        "<template><p>ignore</p></template>",
        "<nav>ignore</nav>",
    ],
)
def test_what_nobody_sees_is_left_out(hidden: str):
    assert kinds(f"<p>seen</p>{hidden}<p>too</p>") == [("text", "seen"), ("text", "too")]


def test_a_table_around_everything_is_a_layout():
    page = "<table><tr><td><h1>Top</h1><p>one</p></td><td><table><tr><td>1</td></tr></table></td></tr></table>"
    assert kinds(page) == [("heading", "Top"), ("text", "one"), ("table", "| 1 |")]


def test_main_wins_over_what_surrounds_it():
    assert kinds("<body><div>menu</div><main><p>text</p></main></body>") == [("text", "text")]


def test_the_encoding_that_a_page_names_is_used():
    page = '<meta charset="iso-8859-1"><p>caf\xe9</p>'.encode("latin-1")
    assert read_html(page).blocks[0].text == "café"


def test_nesting_without_end_is_refused():
    """Ten thousand open elements end in a reason, not in a recursion error."""
    with pytest.raises(Unreadable, match="nested too deeply"):
        read_document("x.html", b"<div>" * 10_000 + b"x")


def test_broken_markup_is_read():
    assert kinds("<p>one<p>two <b>three") == [("text", "one"), ("text", "two three")]
