"""`gsws events`: what is routed where."""

from __future__ import annotations

from collections.abc import Iterator

from gsws.cli import output
from gsws.cli.current_project import load_current
from gsws.project import EventSpec, Project
from gsws.project.specs import HandlerRef

__all__ = ["rows", "run", "where"]


_HEADER = ("EVENT", "SOURCE", "FUNCTION", "ANSWERS", "SCHEMA", "CONCURRENCY")


def run(*, env: str, as_json: bool) -> int:
    """Print one row an event; with errors in the project, what could be read of it."""
    project = load_current(env)
    if as_json:
        output.result_json(
            {"ok": project.ok(), "events": [_facts(project, event) for event in project.events], **_beside(project)}
        )
    elif project.events:
        output.table(_HEADER, [*rows(project), *_hook_rows(project)])
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
            f"{project.mask.hide(event.fn) or '-'} ({where(event)})",
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
    return _place(event.handler)


def _hook_rows(project: Project) -> list[tuple[str, ...]]:
    """What runs for no message: a row each, named by its key."""
    return [(key, source, f"{fn} ({_place(handler)})", "-", "-", "-") for key, source, fn, handler in _hooks(project)]


def _hooks(project: Project) -> Iterator[tuple[str, str, str, HandlerRef]]:
    for name, source in project.sources.items():
        for key, handler in (("on_connect", source.on_connect), ("on_disconnect", source.on_disconnect)):
            if handler is not None:
                yield key, name, project.mask.hide(str(source.written.get(key))), handler
    if project.lifespan is not None:
        yield "lifespan", "-", project.mask.hide(project.settings.lifespan or ""), project.lifespan


def _beside(project: Project) -> dict[str, object]:
    return {
        "hooks": [
            {
                "hook": key,
                "source": None if source == "-" else source,
                "fn": fn,
                "file": handler.span.path,
                "line": handler.span.line,
            }
            for key, source, fn, handler in _hooks(project)
        ],
    }


def _place(handler: HandlerRef) -> str:
    return f"{handler.span.path}:{handler.span.line}"


def _answers(event: EventSpec) -> str:
    if event.answers is not None:
        return event.answers
    return "stream" if event.handler is not None and event.handler.is_generator else "reply"


def _facts(project: Project, event: EventSpec) -> dict[str, object]:
    handler = event.handler
    return {
        "event": event.key,
        "source": event.source,
        "fn": project.mask.hide(event.fn),
        "file": handler.span.path if handler is not None else None,
        "line": handler.span.line if handler is not None else None,
        "answers": _answers(event),
        "schema": event.validates,
        "concurrency": event.concurrency,
        "broadcasts": sorted(event.broadcasts_declared),
        "declared": f"{event.path}:{event.span.line}",
        "summary": None if event.summary is None else project.mask.hide(event.summary),
    }
