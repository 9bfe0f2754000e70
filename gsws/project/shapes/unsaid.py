"""
Keys that decide who may come in and that say nothing: ``authz: #auth.may`` is null in YAML, and would be absent.

Elsewhere a null key counts as absent; here that would open what somebody meant to close.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gsws.diagnostics.finding import Finding, error
from gsws.project.files.lookups import Expanded
from gsws.project.reporting.wording import quoted
from gsws.project.shapes.kinds import dotted
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer

__all__ = ["GUARDS", "once", "unsaid"]

GUARDS: Final = ("authn", "authz", "on_connect", "origins", "hosts", "tls")
"""Keys of events and of sources, whatever their plugin; with all that is below them."""

_COMMENT: Final = re.compile(r"[\"']?[ \t]*:(?:[ \t]+(?:null|Null|NULL|~))?[ \t]+(#[^\r\n]*)")


def unsaid(expanded: Expanded, pointer: Pointer = ()) -> Iterator[Finding]:
    """
    Tell of every guarding key that is written and has no value, by itself or by what it looks up.

    Args:
        expanded: A file.
        pointer: Where the keys stand: the event, or the file itself.
    """
    written: Any = expanded.document.data
    data: Any = expanded.data
    for item in pointer:
        written, data = written[item], data[item]
    if isinstance(written, dict) and isinstance(data, dict):
        for key in GUARDS:
            if key in written:
                yield from _below(expanded, written[key], data.get(key), (*pointer, key), len(pointer))


def once(findings: Iterable[Finding], said: Iterable[Finding]) -> list[Finding]:
    """The findings without those that say of a key without a value that it is missing, or empty, once more."""
    said = list(said)
    labels = {f"`{one.message.split('`')[1].rpartition('.')[2]}` is missing" for one in said}
    places = {one.span for one in said if one.code == "GS506"}
    return [
        one
        for one in findings
        if one in said
        or not ((one.code == "GS304" and one.label in labels) or (one.code == "GS506" and one.span in places))
    ]


def _below(expanded: Expanded, written: Any, data: Any, place: Pointer, top: int) -> Iterator[Finding]:
    if data is None:
        yield _finding(expanded, place, top)
    elif isinstance(written, dict) and isinstance(data, dict):
        for key, item in written.items():
            yield from _below(expanded, item, data.get(key), (*place, key), top)


def _finding(expanded: Expanded, place: Pointer, top: int) -> Finding:
    document, name = expanded.document, f"`{dotted(place[top:])}`"
    if place in expanded.dynamic:
        message = f"{name} decides who may come in, and what was looked up for it is null"
        return error("GS506", message, document.value_span(place), "looked up", "give it a value, or remove the key")
    help = "give it a value, or remove the key"
    if place[top:] == ("authz",):
        help += "; `authz: false` asks nobody"
    span = document.key_span(place)
    lines = LineIndex(document.text)
    match = _COMMENT.match(document.text, lines.offset(span.end_line, span.end_column))
    if match is None:
        return error("GS306", f"{name} decides who may come in, and has no value", span, "nothing here", help)
    comment = match[1].strip()
    meant = comment.lstrip("#").strip()
    if meant and " " not in meant and place[top] in ("authz", "on_connect"):
        help = f"write {quoted(f'{place[-1]}: {meant}')}; `#` after a space begins a comment"
    return error(
        "GS306",
        f"{name} decides who may come in, and has no value: in YAML {quoted(comment)} is a comment",
        lines.span(document.path, *match.span(1)),
        "a comment, without quotes",
        help,
    )
