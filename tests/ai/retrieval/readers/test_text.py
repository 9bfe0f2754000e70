"""Plain text: paragraphs, and headings that are underlined."""

from __future__ import annotations

from gsws.ai.retrieval.readers.text import read_text


def test_paragraphs_stand_between_empty_lines():
    content = read_text("one\nmore\n\n  \ntwo\n")
    assert [(block.kind, block.text) for block in content.blocks] == [("text", "one\nmore"), ("text", "two")]
    assert content.title is None


def test_underlined_lines_are_headings_by_their_marks():
    content = read_text("Manual\n======\n\nStart\n-----\nText\n\nEnd\n---\n\nMore\n====\n")
    headings = [(block.text, block.level) for block in content.blocks if block.kind == "heading"]
    assert headings == [("Manual", 1), ("Start", 2), ("End", 2), ("More", 1)]
    assert content.title == "Manual"


def test_a_short_rule_under_a_long_line_is_no_heading():
    assert read_text("This is a long line of prose\n---\nnext\n").blocks[0].kind == "text"
