"""
What events declare beside their own message, held against each other and against the code: ``broadcasts``, ``answers``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from gsws.diagnostics.finding import Finding, Label, error
from gsws.project.events import Draft
from gsws.project.reporting.wording import quoted
from gsws.project.specs import EventSpec
from gsws.text.span import Span
from gsws.types import JSONValue

__all__ = ["declaration_findings"]


def declaration_findings(events: Iterable[EventSpec], drafts: Iterable[Draft]) -> Iterator[Finding]:
    """
    What contradicts itself in the declarations of events.

    A source sends its rooms the union of what its events declare, so one name has one schema; and an event that says
    how it is answered says what its function does.
    """
    written = {(draft.document.path, draft.span): draft for draft in drafts}
    first: dict[tuple[str, str], tuple[str, Span]] = {}
    told: set[Span] = set()
    for event in events:
        draft = written[event.path, event.span]
        for name, schema in event.broadcasts_declared.items():
            at = draft.document.key_span((draft.written, "broadcasts", name))
            text = _canonical(schema)
            before, place = first.setdefault((event.source, name), (text, at))
            if before != text and at not in told:
                told.add(at)
                yield error(
                    "GS310",
                    f"{quoted(name)} has two schemas among what `{event.source}` sends to rooms",
                    at,
                    "another one here",
                    "put it into `definitions/` and refer to it from both, or give one of them another name",
                    [Label(place, "first here")],
                )
        if event.handler is not None and draft.span not in told:
            for finding in _answers(event, draft):
                told.add(draft.span)
                yield finding


def _answers(event: EventSpec, draft: Draft) -> Iterator[Finding]:
    handler = event.handler
    assert handler is not None
    if event.answers == "reply" and handler.is_generator and handler.parameters is not None:
        does, help = "yields, which makes a stream", "write `answers: stream`, or return the value"
    elif event.answers == "stream" and handler.is_plain:
        does, help = "returns a value, which makes a reply", "write `answers: reply`, or `yield` in the function"
    else:
        return
    yield error(
        "GS310",
        f"{quoted(event.key)} says `answers: {event.answers}`, but its function {does}",
        draft.at("answers"),
        "contradicts the function",
        help,
        [Label(handler.span, "defined here")],
    )


def _canonical(schema: JSONValue) -> str:
    """Equal for schemas that are equal as JSON; in Python 1 is True."""
    return json.dumps(schema, sort_keys=True, default=str)
