"""Findings as people and programs read them."""

from __future__ import annotations

import json

from gsws.diagnostics import Edit, Finding, Fix, Label, Severity
from gsws.diagnostics.render import render_concise, render_full, render_json
from gsws.text.span import Span

EVENT = '"websocket.stream":\n  fn: stream_gemni\n'
NOT_FOUND = Finding(
    "GS201",
    Severity.ERROR,
    "no function `stream_gemni` under functions/",
    Span("events/websocket_stream.yaml", 2, 7, 2, 19),
    "named here",
    "did you mean `stream_gemini`? `gsws validate --fix` writes it",
    fix=Fix("write it", (Edit(Span("events/websocket_stream.yaml", 2, 7, 2, 19), "stream_gemini"),)),
)


def full(*findings: Finding, **texts: str) -> str:
    return render_full(findings, {"p": "", **texts}.get, colour=False)


def finding(*span: int, label: str = "here", path: str = "p", **more) -> Finding:
    return Finding("GS000", Severity.WARNING, "message", Span(path, *span), label, **more)


def test_an_excerpt_shows_the_place():
    assert render_full([NOT_FOUND], lambda _: EVENT, colour=False) == (
        "error[GS201]: no function `stream_gemni` under functions/\n"
        "  --> events/websocket_stream.yaml:2:7\n"
        "   |\n"
        " 2 |   fn: stream_gemni\n"
        "   |       ^^^^^^^^^^^^ named here\n"
        "   = help: did you mean `stream_gemini`? `gsws validate --fix` writes it\n"
    )


def test_without_a_place_there_is_header_and_help():
    project = Finding("GS001", Severity.ERROR, "not a gsws project here or above", help="`gsws init .`")
    assert full(project) == "error[GS001]: not a gsws project here or above\n   = help: `gsws init .`\n"


def test_a_file_that_is_gone_has_no_excerpt():
    assert full(finding(3, 1, 3, 2, path="gone")) == "warning[GS000]: message\n  --> gone:3:1\n"


def test_secondary_places_are_underlined_in_the_order_of_lines():
    text = "a: 1\nb: 2\nc: 3\n\n\nd: 4\na: 5\n"
    twice = finding(7, 1, 7, 2, label="again here", related=(Label(Span("p", 1, 1, 1, 2), "first here"),))
    assert full(twice, p=text) == (
        "warning[GS000]: message\n  --> p:7:1\n   |\n 1 | a: 1\n   | - first here\n 7 | a: 5\n   | ^ again here\n"
    )


def test_a_place_in_another_file_is_a_line_with_the_line_there():
    twice = finding(1, 1, 1, 2, related=(Label(Span("q", 2, 3, 2, 5), "there"),), help="do")
    assert full(twice, p="a: 1", q="x:\n  yz: 1\n") == (
        "warning[GS000]: message\n"
        "  --> p:1:1\n"
        "   |\n"
        " 1 | a: 1\n"
        "   | ^ here\n"
        "  ::: q:2:3 there\n"
        " 2 |   yz: 1\n"
        "   = help: do\n"
    )


def test_several_places_in_other_files_are_a_line_each():
    """With its first place a finding takes eight lines at most."""
    places = tuple(Label(Span(path, 1, 1, 1, 2), f"in {path}") for path in "qrst")
    shown = full(finding(1, 1, 1, 2, related=places, help="do"), p="a: 1", q="q", r="r")
    assert shown.splitlines()[5:] == ["  ::: q:1:1 in q", "  ::: r:1:1 in r", "  ::: and 2 more", "   = help: do"]
    assert len(full(finding(1, 1, 1, 2, related=places[:2], help="do"), p="a: 1").splitlines()) == 8


def test_carets_stand_right_after_tabs_wide_and_combining_characters():
    lines = "\tk: v\n日本: x\n😀e\u0301: x\n"
    assert full(finding(1, 5, 1, 6), p=lines).splitlines()[-2:] == [" 1 |     k: v", "   |        ^ here"]
    assert full(finding(2, 1, 2, 3), p=lines).splitlines()[-2:] == [" 2 | 日本: x", "   | ^^^^ here"]
    assert full(finding(3, 4, 3, 5), p=lines).splitlines()[-1] == "   |    ^ here"


def test_long_lines_are_cropped_around_the_place():
    text = "k: " + "x" * 150 + "HERE" + "y" * 300
    excerpt, carets = full(finding(1, 154, 1, 158), p=text).splitlines()[-2:]
    assert excerpt[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert excerpt.startswith(" 1 | …")
    assert excerpt.endswith("…")
    assert len(excerpt) <= 106


def test_a_whole_long_line_is_marked_as_far_as_it_is_shown():
    excerpt, carets = full(finding(1, 1, 1, 5_000), p="x" * 5_000).splitlines()[-2:]
    assert len(excerpt) < 110
    assert len(carets) < 115


def test_several_lines_are_marked_on_the_first():
    assert full(finding(1, 1, 3, 2), p="ab\ncd\nef").splitlines()[-2:] == [" 1 | ab", "   | ^^ here"]


def test_places_beyond_the_text_do_not_break_anything():
    assert full(finding(9, 9, 9, 10), p="a").splitlines()[-1] == "   | ^ here"
    assert full(finding(1, 99, 1, 100), p="a").splitlines()[-1] == "   |  ^ here"


def test_line_numbers_of_any_width_align():
    text = "\n" * 999 + "last: 1"
    assert full(finding(1000, 1, 1000, 5, help="do"), p=text) == (
        "warning[GS000]: message\n     --> p:1000:1\n      |\n 1000 | last: 1\n      | ^^^^ here\n      = help: do\n"
    )


def test_control_characters_never_reach_the_terminal():
    hostile = Finding(
        "GS101",
        Severity.ERROR,
        "bad \x1b[2J\nkey",
        Span("e\x1b[31m.yaml", 1, 1, 1, 3),
        "la\x07bel",
        "he\x1b]0;title\x07lp",
        (Label(Span("e\x1b[31m.yaml", 1, 3, 1, 4), "\x9b1m"),),
    )
    for text in (render_full([hostile], lambda _: "a\x1b[31m\u202eb", colour=False), render_concise([hostile])):
        assert not any((ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for c in text)


def test_colour_is_added_to_the_same_text():
    import re

    coloured = render_full([NOT_FOUND], lambda _: EVENT, colour=True)
    assert "\x1b[1;31merror[GS201]" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_full([NOT_FOUND], lambda _: EVENT, colour=False)


def test_findings_are_divided_by_an_empty_line():
    assert full(NOT_FOUND, NOT_FOUND).count("\n\nerror[GS201]") == 1
    assert full() == ""


def test_concise_is_one_line_each():
    project = Finding("GS001", Severity.ERROR, "not a gsws project\nhere")
    assert render_concise([NOT_FOUND, project]) == (
        "events/websocket_stream.yaml:2:7: GS201 no function `stream_gemni` under functions/\n"
        "GS001 not a gsws project␊here\n"
    )


def test_json_has_the_same_keys_on_every_finding():
    project = Finding("GS001", Severity.ERROR, "not a gsws project")
    warning = finding(1, 1, 1, 2, related=(Label(Span("q", 2, 3, 2, 5), "there"),))
    report = json.loads(render_json([NOT_FOUND, project, warning], files=3, events=1))
    assert report["schema_version"] == 1
    assert report["ok"] is False
    assert report["summary"] == {"errors": 2, "warnings": 1, "files": 3, "events": 1}
    first, second, third = report["diagnostics"]
    assert first == {
        "code": "GS201",
        "severity": "error",
        "message": "no function `stream_gemni` under functions/",
        "path": "events/websocket_stream.yaml",
        "line": 2,
        "column": 7,
        "end_line": 2,
        "end_column": 19,
        "label": "named here",
        "help": "did you mean `stream_gemini`? `gsws validate --fix` writes it",
        "related": [],
        "fix": {
            "title": "write it",
            "edits": [
                {
                    "path": "events/websocket_stream.yaml",
                    "line": 2,
                    "column": 7,
                    "end_line": 2,
                    "end_column": 19,
                    "replacement": "stream_gemini",
                }
            ],
        },
    }
    assert first.keys() == second.keys() == third.keys()
    assert (second["path"], second["line"], second["fix"]) == (None, None, None)
    assert third["related"][0] == {
        "message": "there", "path": "q", "line": 2, "column": 3, "end_line": 2, "end_column": 5
    }  # fmt: skip
    assert json.loads(render_json([warning], files=1, events=0))["ok"] is True
