"""`gsws events`: what is routed where."""

from __future__ import annotations

from gsws.cli import output
from gsws.cli.here import load_here
from gsws.project import EventSpec, Project

__all__ = ["rows", "run", "where"]


_HEADER = ("EVENT", "SOURCE", "FUNCTION", "ANSWERS", "SCHEMA", "CONCURRENCY")


def run(*, env: str, as_json: bool) -> int:
    """Print one row an event; with errors in the project, what could be read of it."""
    project = load_here(env)
    if as_json:
        output.result_json({"ok": project.ok(), "events": [_facts(event) for event in project.events]})
    elif project.events:
        output.table(_HEADER, rows(project))
    else:
        output.note("no events; `gsws new event NAME` makes one")
    if not project.ok():
        output.warn("this project has errors, so the list may be incomplete", "`gsws validate` shows them")
    return output.GOOD


def rows(project: Project) -> list[tuple[str, ...]]:
    """Key, source, function, kind of answer, what the schema checks, concurrency."""
    return [
        (
            event.key,
            event.source,
            f"{event.fn or '-'} ({where(event)})",
            _answers(event),
            event.validates,
            event.concurrency,
        )
        for event in project.events
    ]


def where(event: EventSpec) -> str:
    """``functions/greet.py:4``, or ``not found``."""
    if event.handler is None:
        return "not found"
    return f"{event.handler.span.path}:{event.handler.span.line}"


def _answers(event: EventSpec) -> str:
    return "stream" if event.handler is not None and event.handler.is_generator else "reply"


def _facts(event: EventSpec) -> dict[str, object]:
    handler = event.handler
    return {
        "event": event.key,
        "source": event.source,
        "fn": event.fn,
        "file": handler.span.path if handler is not None else None,
        "line": handler.span.line if handler is not None else None,
        "answers": _answers(event),
        "schema": event.validates,
        "concurrency": event.concurrency,
        "declared": f"{event.path}:{event.span.line}",
        "summary": event.summary,
    }
