"""A loaded project: its specs, what was found, and what may be shown of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsws.diagnostics.finding import Finding, Severity
from gsws.diagnostics.mask import Mask
from gsws.project.python.handlers import HandlerIndex
from gsws.project.specs import DatasourceSpec, EventSpec, HandlerRef, Settings, SourceSpec

if TYPE_CHECKING:
    from gsws.schema import Definitions

__all__ = ["Project"]


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """
    A project as its files say; complete as far as errors allow.

    Attributes:
        root: Holds gsws.yaml or the folders; real path.
        base: ``root`` or ``root/src``: holds ``events/`` and ``functions/``.
        env: ``development``, ``production``, …
        findings: Everything that is wrong, in reading order.
        lifespan: ``lifespan`` of gsws.yaml, resolved, or None.
        files: How many files were read.
        environ: The variables that look-ups saw: the process's over those of ``.env``.
        read_text: The text of a file as it was read, by path; None if there is none.
        shown_text: The same with the secrets in it hidden; see `text_of`.
        mask: Hides every value that was looked up; whoever shows a finding that was made later applies it.
    """

    root: Path
    base: Path
    env: str
    settings: Settings
    sources: Mapping[str, SourceSpec]
    events: tuple[EventSpec, ...]
    handlers: HandlerIndex
    definitions: Definitions
    mappings: Mapping[str, Any]
    config: Mapping[str, Any]
    datasources: Mapping[str, DatasourceSpec]
    lifespan: HandlerRef | None
    findings: tuple[Finding, ...]
    files: int
    environ: Mapping[str, str] = field(repr=False)
    read_text: Callable[[str], str | None] = field(repr=False)
    shown_text: Callable[[str], str | None] = field(repr=False)
    mask: Mask = field(default_factory=lambda: Mask(every=True), repr=False)

    def ok(self) -> bool:
        """Whether the project can be served: no finding is an error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def text_of(self, path: str) -> str | None:
        """
        The text that findings of ``path`` talk about, for people to look at; None if there is none.

        Secrets that were found (GS503) are hidden in it, character by character; `read_text` gives it as it was read.
        """
        return self.shown_text(path)
