"""Findings as workflow commands: one line each, whatever stands in a message or a path."""

from __future__ import annotations

from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.render import render_github
from gsws.text.span import Span


def finding(message: str = "message", span: Span | None = None, **more) -> Finding:
    return Finding("GS201", more.pop("severity", Severity.ERROR), message, span, **more)


def test_a_finding_is_a_command():
    found = finding("no function `gret`", Span("events/a.yaml", 2, 7, 2, 11), help="did you mean `greet`?")

    assert render_github([found]) == (
        "::error file=events/a.yaml,line=2,col=7,endLine=2,endColumn=11,title=GS201%3A function not found"
        "::no function `gret`%0Adid you mean `greet`?\n"
    )


def test_severities_have_words_of_their_own():
    text = render_github([finding(severity=one) for one in Severity])

    assert [line.split()[0] for line in text.splitlines()] == ["::error", "::warning", "::notice"]


def test_a_finding_about_the_project_has_no_place():
    assert render_github([finding()]) == "::error title=GS201%3A function not found::message\n"


def test_a_stretch_over_several_lines_has_no_columns():
    """GitHub refuses columns of different lines."""
    text = render_github([finding(span=Span("a.yaml", 2, 7, 4, 3))])

    assert text.startswith("::error file=a.yaml,line=2,endLine=4,title=")


def test_what_would_end_a_property_or_a_line_is_escaped():
    text = render_github([finding("50% \r\n::error::x", Span("a,b:c%\n.yaml", 1, 1, 1, 2))])

    assert text.count("\n") == 1
    assert text.startswith("::error file=a%2Cb%3Ac%25%0A.yaml,line=1,")
    assert text.endswith("::50%25 ␍%0A::error::x\n")


def test_paths_begin_at_the_repository():
    text = render_github([finding(span=Span("events/a.yaml", 1, 1, 1, 2))], prefix="services/chat/")

    assert "file=services/chat/events/a.yaml," in text
