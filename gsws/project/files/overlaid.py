"""A document whose data has been changed, by look-ups for example, with the spans of the text as it was written."""

from __future__ import annotations

from dataclasses import dataclass

from gsws.text.span import Pointer, Span
from gsws.types import JSONValue
from gsws.yaml.document import Document

__all__ = ["overlaid"]


@dataclass(frozen=True, slots=True)
class _Overlaid(Document):
    written: Document | None = None

    def has(self, pointer: Pointer) -> bool:
        return self._original().has(pointer)

    def key_span(self, pointer: Pointer) -> Span:
        return self._original().key_span(pointer)

    def value_span(self, pointer: Pointer) -> Span:
        return self._original().value_span(pointer)

    def swallowed(self, pointer: Pointer) -> Span | None:
        return self._original().swallowed(pointer)

    def entry_span(self, pointer: Pointer) -> Span | None:
        return self._original().entry_span(pointer)

    def text_of(self, span: Span) -> str:
        return self._original().text_of(span)

    def _original(self) -> Document:
        if self.written is None:
            raise TypeError("made by `overlaid` only")
        return self.written


def overlaid(document: Document, data: JSONValue) -> Document:
    """The document with other data; a pointer means the same place in both."""
    if data is document.data:
        return document
    return _Overlaid(document.path, document.text, data, document.findings, shared=document.shared, written=document)
