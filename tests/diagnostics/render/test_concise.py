"""One line a finding, with a path that an editor opens and no CI service takes for a command."""

from __future__ import annotations

import pytest

from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.render.concise import render_concise
from gsws.text.span import Span


def finding(path: str | None) -> Finding:
    return Finding("GS201", Severity.ERROR, "no `fn`", None if path is None else Span(path, 2, 7, 2, 9))


@pytest.mark.parametrize(
    ("path", "prefix", "line"),
    [
        ("events/a.yaml", "", "events/a.yaml:2:7: GS201 no `fn`\n"),
        ("events/a.yaml", "services/chat/", "services/chat/events/a.yaml:2:7: GS201 no `fn`\n"),
        ("events/a.yaml", "../", "../events/a.yaml:2:7: GS201 no `fn`\n"),
        ("events/a b\x1b.yaml", "", "events/a b␛.yaml:2:7: GS201 no `fn`\n"),
        ("::error::x.yaml", "", "./::error::x.yaml:2:7: GS201 no `fn`\n"),
        (None, "services/chat/", "GS201 no `fn`\n"),
    ],
)
def test_a_line(path, prefix, line):
    assert render_concise([finding(path)], prefix=prefix) == line
