"""Cutting documents: by headings, never inside code or a table, never beyond the bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsws.ai.retrieval.chunks import HARD_CHARS, chunks_of, slug
from gsws.ai.retrieval.readers.markdown import read_markdown


def cut(text: str):
    return chunks_of(read_markdown(text))


def test_each_section_is_a_chunk_with_the_headings_above_it():
    chunks = cut("# Guide\n\nIntro\n\n## Limits\n\nOne\n\n### Rates\n\nTwo\n\n## End\n\nThree\n")
    assert [(chunk.heading, chunk.anchor, chunk.text) for chunk in chunks] == [
        ((), "", "Intro"),
        (("Limits",), "limits", "One"),
        (("Limits", "Rates"), "rates", "Two"),
        (("End",), "end", "Three"),
    ]


def test_equal_headings_get_the_anchors_that_renderers_give():
    chunks = cut("# T\n\n## Use\n\na\n\n## Use\n\nb\n\n## Use\n\nc\n")
    assert [chunk.anchor for chunk in chunks] == ["use", "use-1", "use-2"]


def test_a_fence_stays_whole_beyond_the_target_size():
    fence = "```py\n" + "\n".join(f"line_{number} = {number}" for number in range(250)) + "\n```"
    chunks = cut(f"# T\n\nBefore\n\n{fence}\n\nAfter\n")
    assert any(fence in chunk.text for chunk in chunks)


def test_an_introduction_stays_with_its_code():
    prose = "word " * 260
    [first] = cut(f"# T\n\n{prose}\n\n```sh\n{'ls -l ' * 40}\n```\n")
    assert first.text.endswith("```")


def test_a_huge_fence_is_cut_between_lines_and_fenced_again():
    lines = [f"line_{number} = {number}" for number in range(2000)]
    chunks = cut("```py\n" + "\n".join(lines) + "\n```\n")
    assert len(chunks) > 1
    for chunk in chunks:
        assert chunk.text.startswith("```py\n")
        assert chunk.text.endswith("\n```")
    again = [line for chunk in chunks for line in chunk.text.split("\n")[1:-1]]
    assert again == lines


def test_a_huge_table_is_cut_with_its_head():
    rows = [f"| {number} | text of row {number} |" for number in range(600)]
    chunks = cut("| n | text |\n|---|---|\n" + "\n".join(rows) + "\n")
    assert len(chunks) > 1
    assert all(chunk.text.startswith("| n | text |\n|---|---|\n| ") for chunk in chunks)


def test_chunks_do_not_overlap():
    """Every word of a long section stands in exactly one chunk."""
    words = [f"w{number}" for number in range(3000)]
    chunks = cut("# T\n\n" + " ".join(words) + "\n")
    assert " ".join(chunk.text for chunk in chunks).split() == words


def test_a_heading_without_text_is_no_chunk():
    assert [chunk.heading for chunk in cut("# T\n\n## Empty\n\n## Full\n\ntext\n")] == [("Full",)]


def test_the_digest_is_of_what_is_said():
    """Spacing does not matter to it, the section does."""
    [one, two, other] = cut("# T\n\n## A\n\nx y\n\n# U\n\n## A\n\nx  y\n\n## B\n\nx y\n")
    assert one.digest != other.digest
    assert one.digest == cut("# T\n\n## A\n\nx\ny\n")[0].digest
    assert two.text == "x  y"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("Rate limits!", "rate-limits"), ("P6.5: a & b", "p65-a--b"), ("Größe", "größe"), ("हिन्दी भाषा", "हिन्दी-भाषा")],
)
def test_slugs_are_those_of_github(heading: str, anchor: str):
    assert slug(heading) == anchor


@given(st.text(alphabet="ab #`|-\n.é漢", max_size=400), st.integers(1, 40))
def test_no_chunk_goes_beyond_the_bound(text: str, times: int):
    """Whatever a file says, a chunk is text, not empty, and not longer than the bound."""
    for chunk in cut(text * times):
        assert chunk.text.strip()
        assert len(chunk.text) <= HARD_CHARS
