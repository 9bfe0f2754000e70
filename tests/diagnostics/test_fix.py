"""Repairs in texts: whole or not at all, and nothing else changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gsws.diagnostics import Edit, Finding, Fix, Severity
from gsws.diagnostics.fix import apply_fixes
from gsws.text.lines import LineIndex
from gsws.text.span import Span


def finding(*edits: tuple[int, int, int, int, str], path: str = "p") -> Finding:
    made = tuple(Edit(Span(path, *place), text) for *place, text in edits)
    return Finding("GS201", Severity.ERROR, "m", fix=Fix("t", made))


def repaired(text: str, *findings: Finding) -> tuple[str, int, int]:
    outcome = apply_fixes(findings, {"p": text}.get)
    return outcome.texts.get("p", text), len(outcome.done), len(outcome.put_off)


def test_only_the_place_changes():
    text = "# a comment\r\nfn:\tgret   # and another\r\n"
    assert repaired(text, finding((2, 5, 2, 9, "greet"))) == (text.replace("gret", "greet"), 1, 0)


def test_several_edits_of_several_findings():
    text = "aa bb cc\ndd"
    outcome = repaired(text, finding((2, 1, 2, 3, "D")), finding((1, 7, 1, 9, "C"), (1, 1, 1, 3, "A")))
    assert outcome == ("A bb C\nD", 2, 0)


def test_neighbours_do_not_overlap():
    assert repaired("abcd", finding((1, 1, 1, 3, "X")), finding((1, 3, 1, 5, "Y"))) == ("XY", 2, 0)


def test_the_first_of_two_that_overlap_wins_and_the_other_is_put_off_whole():
    first, second = finding((1, 2, 1, 4, "X")), finding((1, 3, 1, 5, "Y"), (2, 1, 2, 2, "Z"))
    assert repaired("abcd\ne", first, second) == ("aXd\ne", 1, 1)


def test_insertions_at_one_place_have_no_order_to_guess():
    assert repaired("ab", finding((1, 2, 1, 2, "X")), finding((1, 2, 1, 2, "Y"))) == ("aXb", 1, 1)
    assert repaired("ab", finding((1, 1, 1, 2, "X")), finding((1, 2, 1, 2, "Y"))) == ("Xb", 1, 1)


def test_the_same_edit_asked_for_twice_is_made_once():
    same = finding((1, 1, 1, 2, "X"))
    assert repaired("ab", same, same) == ("Xb", 2, 0)


def test_edits_of_one_finding_that_overlap_are_not_made():
    assert repaired("abc", finding((1, 1, 1, 3, "X"), (1, 2, 1, 4, "Y"))) == ("abc", 0, 1)


def test_a_place_that_is_not_there_changes_nothing():
    for place in [(3, 1, 3, 2), (1, 9, 1, 10), (0, 1, 0, 2), (1, 3, 1, 1)]:
        assert repaired("ab\nc", finding((*place, "X"))) == ("ab\nc", 0, 0), place


def test_a_file_that_may_not_be_changed_keeps_the_whole_repair_back():
    both = Finding(
        "GS201", Severity.ERROR, "m", fix=Fix("t", (Edit(Span("p", 1, 1, 1, 2), "X"), Edit(Span("q", 1, 1, 1, 2), "Y")))
    )
    assert apply_fixes([both], {"p": "ab"}.get).texts == {}


def test_findings_without_a_repair_are_passed_by():
    assert repaired("ab", Finding("GS201", Severity.ERROR, "m"), finding()) == ("ab", 0, 0)


def offsets(index: LineIndex, span: Span) -> tuple[int, int]:
    return index.offset(span.line, span.column), index.offset(span.end_line, span.end_column)


@given(
    st.text("ab\r\n\tß😀", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.text("XY\n", max_size=2)), max_size=6),
)
def test_what_no_repair_names_stays(text, wanted):
    """The untouched pieces of a text are all there afterwards, in their order."""
    index = LineIndex(text)
    findings = []
    for start, length, replacement in wanted:
        span = index.span("p", min(start, len(text)), min(start + length, len(text)))
        findings.append(Finding("GS201", Severity.ERROR, "m", fix=Fix("t", (Edit(span, replacement),))))
    outcome = apply_fixes(findings, {"p": text}.get)

    result, at = outcome.texts.get("p", text), 0
    edits = [edit for one in outcome.done for edit in one.fix.edits]
    touched = sorted({(*offsets(index, edit.span), edit.replacement) for edit in edits})
    expected = ""
    for start, end, replacement in touched:
        expected += text[at:start] + replacement
        at = end
    assert result == expected + text[at:]
    assert len(outcome.done) + len(outcome.put_off) == len(findings)
