"""
Where the comments of a YAML text are. The parser drops them; what is no part of a scalar and begins with ``#`` is one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from _ruamel_yaml import CParser
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import ScalarEvent, StreamEndEvent

from gsws.yaml.decode import guard
from gsws.yaml.document import Document

__all__ = ["comments_of"]

_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t\r\n]))#[^\r\n]*")


def comments_of(document: Document) -> list[tuple[int, int]]:
    """The comments as stretches of ``document.text``, from the ``#`` to the line's end; none if it does not parse."""
    scalars = sorted(_scalars(document))
    starts = [start for start, _ in scalars]
    found = []
    at = 0
    while (match := _COMMENT.search(document.text, at)) is not None:
        at = match.end()
        before = bisect_right(starts, match.start()) - 1
        if before >= 0 and match.start() < scalars[before][1]:
            # Inside a quoted or a block scalar; a comment may follow on the scalar's last line.
            at = max(scalars[before][1], match.start() + 1)
            continue
        found.append(match.span())
    return found


def _scalars(document: Document) -> list[tuple[int, int]]:
    """The stretches of all scalars; the whole text if it cannot be told."""
    if document.data is None:
        return [(0, len(document.text))]
    found: list[tuple[int, int]] = []
    try:
        get = CParser(guard(document.text)).get_event
        while (event := get()).__class__ is not StreamEndEvent:
            if event.__class__ is ScalarEvent:
                start, end = event.start_mark.index, event.end_mark.index
                if event.style in ("|", ">"):
                    end = start + len(document.text[start:end].rstrip())
                if end > start:
                    found.append((start, end))
    except YAMLError:
        return [(0, len(document.text))]
    return found
