"""What rules that look at the whole project are given. Frozen; nothing here finds anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsws.project.events import Draft
from gsws.project.files.cache import ProjectCache
from gsws.project.python.handlers import HandlerIndex
from gsws.project.python.module import ModuleFacts
from gsws.project.sources import CheckedFile
from gsws.project.specs import EventSpec, Settings, SourceSpec
from gsws.yaml.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True)
class Scope:
    """
    A project that has been read.

    Attributes:
        documents: The YAML files by folder; gsws.yaml under an empty name.
        helpers: The Python files beside ``functions/`` that handlers import.
        drafts: The events as their files have them, those of sources that are not there included.
        checked: The sources as their files have them.
        unresolved: Whether a name, a key or a file is wrong, so that what refers to what is not fully known.
        notes: Whether findings of level info are wanted.
    """

    root: Path
    base: Path
    env: str
    settings: Settings
    documents: Mapping[str, tuple[Document, ...]]
    handlers: HandlerIndex
    helpers: tuple[ModuleFacts, ...]
    drafts: tuple[Draft, ...]
    events: tuple[EventSpec, ...]
    checked: Mapping[str, CheckedFile]
    sources: Mapping[str, SourceSpec]
    cache: ProjectCache
    unresolved: bool
    notes: bool

    def files(self, *folders: str) -> Iterator[Document]:
        """The YAML files of some folders, or all."""
        for folder in folders or self.documents:
            yield from self.documents.get(folder, ())

    def python(self) -> Iterator[ModuleFacts]:
        """Every Python file that was read."""
        yield from (module.facts for module in self.handlers.modules())
        yield from self.helpers

    def of_file(self, rule: str, document: Document, make: Callable[[Document], Any]) -> Any:
        """What ``make`` finds in a file; kept until the file changes."""
        return self.cache.derived(("rule", rule, document.path), document, partial(make, document))

    def draft_of(self, event: EventSpec) -> Draft | None:
        """The draft that an event was made from."""
        return next((draft for draft in self.drafts if draft.span == event.span), None)

    def answering(self) -> frozenset[str]:
        """The modules whose functions answer events."""
        return frozenset(event.handler.module for event in self.events if event.handler is not None)
