"""Reading the project's files through the cache: YAML documents, Python modules, and what cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gsws.diagnostics.finding import Finding, Label, error
from gsws.project.files.cache import ProjectCache, ReadFailure
from gsws.project.files.discovery import Entry, Listing, list_files
from gsws.project.python.handlers import HandlerIndex, IndexedModule
from gsws.project.python.module import ModuleFacts, read_module
from gsws.project.python.shadowing import case_collisions
from gsws.text.span import Span
from gsws.yaml.document import Document
from gsws.yaml.reading import parse_yaml

__all__ = ["YAML", "Reader"]

YAML = (".yaml", ".yml")
"""Endings of YAML files."""

_FOREIGN = (".ts", ".js", ".mjs", ".cjs", ".tsx")


_REPAIRS = {
    "a link that leads nowhere": "repair the link or remove it",
    "no regular file": "remove it, or put a file in its place",
    "no folder": "a folder of that name is expected; move the file away",
}


@dataclass(slots=True)
class Reader:
    """
    Reads one project once.

    Attributes:
        findings: Files that cannot be read, links that leave the project, names that differ by case.
        texts: The text of every file that a finding may talk about, by path.
        read: The YAML files that were read, by folder; those of the root under an empty name.
        imported: The Python files beside ``functions/`` that were read.
    """

    root: Path
    base: Path
    cache: ProjectCache
    findings: list[Finding] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    read: dict[str, tuple[Document, ...]] = field(default_factory=dict)
    imported: list[ModuleFacts] = field(default_factory=list)

    def documents(self, folder: str, *, deep: bool = True) -> list[tuple[Entry, Document]]:
        """The YAML files of a folder of the project, by path."""
        listing = self.listing(folder, YAML, deep=deep, base=self.place_of(folder))
        for shown, _, is_folder in listing.outside:
            what = "folder" if is_folder else "file"
            self.findings.append(
                error(
                    "GS110",
                    f"`{shown}` is a link to a {what} outside the project",
                    Span.top(shown),
                    "",
                    f"copy the {what} into the project",
                )
            )
        self.findings += case_collisions(entry.shown for entry in listing.files)
        found = ((entry, self.document(entry)) for entry in listing.files)
        there = [(entry, document) for entry, document in found if document is not None]
        self.read[folder] = tuple(document for _, document in there)
        return there

    def document(self, entry: Entry) -> Document | None:
        """One YAML file; None after a finding."""
        try:
            document = self.cache.file("yaml", entry, lambda raw: parse_yaml(entry.shown, raw))
        except ReadFailure as failure:
            self.unreadable(entry.shown, failure)
            return None
        self.texts[entry.shown] = document.text
        return document

    def one(self, name: str) -> Document | None:
        """A YAML file in the root; None if it is not there."""
        listing = list_files(self.root, self.root, (name,), deep=False)
        found = [entry for entry in listing.files if entry.inner == (name,)]
        document = self.document(found[0]) if found else None
        if document is None and any(inner == (name,) for _, inner, _ in listing.outside):
            self.findings.append(
                error("GS110", f"`{name}` is a link to a file outside the project", Span.top(name), "", "copy the file")
            )
        elif not found and os.path.lexists(self.root / name):
            self.findings.append(error("GS003", f"cannot read `{name}`: no regular file", Span.top(name)))
        self.read[""] = () if document is None else (document,)
        return document

    def raw(self, name: str) -> bytes | None:
        """A file in the root, hidden ones included; None if it is not there."""
        path = self.root / name
        try:
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(self.root):
                # Whoever sends a change to a project must not choose which file of the machine is read.
                message = f"`{name}` is a link to a file outside the project"
                self.findings.append(error("GS110", message, Span.top(name), "", "put a file in its place"))
                return None
            if not path.is_file():
                if path.exists():
                    self.findings.append(error("GS003", f"cannot read `{name}`: no regular file", Span.top(name)))
                return None
            with path.open("rb") as file:
                return file.read(1_000_000)
        except OSError as failure:
            self.findings.append(error("GS003", f"cannot read `{name}`: {failure.strerror}", Span.top(name)))
            return None

    def handlers(self) -> tuple[HandlerIndex, frozenset[str]]:
        """The functions of the project, and the top-level names that their files import."""
        listing = self.listing("functions", (".py",))
        modules = [module for entry in listing.files if (module := self.module(entry)) is not None]
        self.findings += case_collisions(entry.shown for entry in listing.files)
        outside = [name for _, inner, is_folder in listing.outside if (name := _dotted(inner, is_folder))]
        if any(not inner for _, inner, _ in listing.outside):
            self.findings.append(
                error(
                    "GS110",
                    "`functions/` is a link that leaves the project",
                    Span.top("functions"),
                    "",
                    "copy the folder",
                )
            )
        foreign = {}
        for entry in list_files(self.root, self.base / "functions", _FOREIGN).files:
            name = _as_function(entry)
            foreign[name] = entry.shown
            if name.rpartition(".")[2] == "index":
                foreign.setdefault(name.rpartition(".")[0], entry.shown)
        workflows = list_files(self.root, self.base / "functions", YAML).files
        if workflows:
            first, *others = workflows
            count = f" ({len(workflows)} of them under functions/)" if others else ""
            self.findings.append(
                error(
                    "GS213",
                    f"`{first.shown}` is a workflow in YAML, which gsws does not run{count}",
                    Span.top(first.shown),
                    "",
                    "write it as a Python function; `gsws new function` begins one",
                    [Label(Span.top(entry.shown), "this one too") for entry in others],
                )
            )
        index = HandlerIndex(modules, outside=outside, foreign=foreign, workflows=map(_as_function, workflows))
        needs: set[str] = set()
        for module in modules:
            needs |= module.facts.needs
        return index, frozenset(needs)

    def helpers(self, helpers: dict[str, Path], needs: frozenset[str]) -> Iterator[Finding]:
        """Syntax errors of the helpers that handlers import, directly or through one another (GS205)."""
        todo, done = [name for name in helpers if name in needs], set[str]()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            place = helpers[name]
            folder = place if place.is_dir() else place.parent
            for entry in list_files(self.root, folder, (".py",), deep=place.is_dir()).files:
                if not place.is_dir() and entry.inner != (place.name,):
                    continue
                facts = self.facts(entry)
                if facts is None:
                    continue
                self.imported.append(facts)
                if facts.failure is not None:
                    yield error("GS205", f"Python syntax error: {facts.failure[0]}", facts.failure[1], "here")
                todo += [other for other in facts.needs if other in helpers and other not in done]

    def module(self, entry: Entry) -> IndexedModule | None:
        name = _dotted(entry.inner, False)
        facts = self.facts(entry)
        if facts is None or not name:
            return None
        return IndexedModule(name, Path(entry.path), facts, entry.inner[-1] == "__init__.py")

    def facts(self, entry: Entry) -> ModuleFacts | None:
        try:
            facts = self.cache.file("python", entry, lambda raw: read_module(entry.shown, raw))
        except ReadFailure as failure:
            self.unreadable(entry.shown, failure)
            return None
        if facts.text:
            self.texts[entry.shown] = facts.text
        return facts

    def place_of(self, folder: str) -> Path:
        """The folder that holds a folder of the project: `config/` may stand beside `src/`, as node-config reads it."""
        beside = folder == "config" and not (self.base / folder).is_dir() and (self.root / folder).is_dir()
        return self.root if beside else self.base

    def listing(self, folder: str, endings: tuple[str, ...], *, deep: bool = True, base: Path | None = None) -> Listing:
        listing = list_files(self.root, (base or self.base) / folder, endings, deep=deep)
        for shown, what in listing.odd:
            self.findings.append(
                error("GS003", f"cannot read `{shown}`: {what}", Span.top(shown), "", _REPAIRS.get(what))
            )
        return listing

    def unreadable(self, shown: str, failure: ReadFailure) -> None:
        # A file that went away between listing and reading is simply not part of the project any more.
        if not failure.gone:
            self.findings.append(error("GS003", f"cannot read `{shown}`: {failure.reason}", Span.top(shown)))

    def text_of(self, path: str) -> str | None:
        """The text of a file as it was read; from the disk if nobody needed it so far; None for a hidden file."""
        if any(part.startswith(".") for part in path.split("/")):
            return None  # `.env` and its like: no excerpt shows a line of them
        text = self.texts.get(path)
        if text is not None:
            return text
        try:
            # Not `Path.resolve`, which raises on a link that leads to itself.
            place = Path(os.path.realpath(self.root / path))
            if not place.is_relative_to(self.root) or not place.is_file() or place.stat().st_size > 4_000_000:
                return None
            return place.read_bytes().decode("utf-8", "replace")
        except (OSError, ValueError):
            return None


def _as_function(entry: Entry) -> str:
    """What `fn:` would say to mean a file of another language."""
    return _dotted((*entry.inner[:-1], entry.inner[-1].rpartition(".")[0] + ".py"), False)


def _dotted(inner: tuple[str, ...], is_folder: bool) -> str:
    """Dotted name of a path under functions/; empty if it can have none."""
    if not inner:
        return ""
    parts = list(inner)
    if not is_folder:
        parts[-1] = parts[-1].removesuffix(".py")
        if parts[-1] == "__init__":
            parts.pop()
    return ".".join(parts) if parts and not any("." in part for part in parts) else ""
