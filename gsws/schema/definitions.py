"""
The project's shared schemas, `definitions/**/*.yaml`: looked up by ``$ref``, checked once, cached by content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from posixpath import dirname
from typing import Any, Final

import jsonschema_rs

from gsws.diagnostics.finding import Finding
from gsws.schema.bundle import Rewritten, rewrite
from gsws.schema.check import check_schema, has_fancy_pattern, isolated
from gsws.schema.cycles import endless
from gsws.schema.drafts import DEFAULT, Draft, draft_of
from gsws.schema.engine import registry_of
from gsws.schema.finding import SchemaFinding, place
from gsws.schema.references import Files, Resource, Target, at, schemas_in, uri_of
from gsws.schema.work import Work
from gsws.yaml.document import Document

__all__ = ["Definitions", "Reach"]


_CHECKED: Final[dict[Any, tuple[SchemaFinding, ...]]] = {}
_MAX_CHECKED: Final = 2048


@dataclass(frozen=True, slots=True)
class Reach:
    """
    What a schema may refer to, directly or not.

    Attributes:
        contents: Rewritten definitions files by address.
        digests: Their paths and the digests of their contents.
        fancy: Whether one has a pattern for the engine that goes back and forth.
        dynamic: Whether one has a ``$dynamicRef``.
    """

    contents: dict[str, Any]
    digests: tuple[tuple[str, str], ...]
    fancy: bool
    dynamic: bool
    _registries: dict[bool, jsonschema_rs.Registry | None] = field(default_factory=dict)

    def registry(self, *, fancy: bool) -> jsonschema_rs.Registry | None:
        """The contents as the engine takes them, None for none; made once for each of the two."""
        if fancy not in self._registries:
            self._registries[fancy] = registry_of(self.contents, fancy=fancy)
        return self._registries[fancy]


class Definitions:
    """
    The definitions files of one load.

    Args:
        documents: The files, with paths relative to the project's root.
    """

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self.documents = {document.path: document for document in documents}
        self.resources = {
            path: Resource(path, dirname(path), document.data, tuple(schemas_in(document.data, DEFAULT.keywords)))
            for path, document in self.documents.items()
            if document.data is not None
        }
        self.files = Files(self.resources)
        self.names = hashlib.sha256("\0".join(sorted(self.resources)).encode()).hexdigest()
        self._digests: dict[str, str] = {}
        self._rewritten: dict[str, Rewritten] = {}
        self._reaches: dict[frozenset[str], Reach] = {}

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong in the definitions files themselves, in the order of files and places."""
        out: list[Finding] = []
        for path, document in self.documents.items():
            if path in self.resources:
                found = [place(finding, document, ()) for finding in self.findings_of(path)]
                out += sorted(found, key=lambda finding: finding.span or document.key_span(()))
        return tuple(out)

    def digest(self, path: str) -> str | None:
        """A digest of a file's contents, None if it is not there."""
        if path not in self._digests and path in self.resources:
            self._digests[path] = hashlib.sha256(repr(self.resources[path].data).encode()).hexdigest()
        return self._digests.get(path)

    def rewritten(self, path: str) -> Rewritten:
        """A file with absolute references."""
        if path not in self._rewritten:
            self._rewritten[path] = rewrite(self.resources[path], self.files, absolute=True)
        return self._rewritten[path]

    def reach(self, paths: Iterable[str]) -> Reach:
        """Everything that references into ``paths`` may lead to."""
        start = frozenset(paths)
        if start not in self._reaches:
            seen: dict[str, None] = {}
            pending = sorted(start)
            while pending:
                path = pending.pop()
                if path not in seen:
                    seen[path] = None
                    pending += sorted(self.rewritten(path).reached)
            contents = {uri_of(Target(path, ())).rstrip("#"): self.rewritten(path).data for path in seen}
            self._reaches[start] = Reach(
                contents,
                tuple((path, self.digest(path) or "") for path in sorted(seen)),
                any(has_fancy_pattern(self.rewritten(path).data, self._oldest(path)) for path in seen),
                any(self.rewritten(path).dynamic for path in seen),
            )
        return self._reaches[start]

    def _oldest(self, path: str) -> Draft:
        """The draft of a file, or an older one if a schema in it names one."""
        whole = draft_of(self.resources[path].data) or DEFAULT
        drafts = [draft_of(at(self.resources[path].data, root), whole) for root in self.resources[path].roots]
        return next((draft for draft in drafts if draft is not None and draft.lone_ref), whole)

    def targets(self, path: str) -> dict[tuple[str | int, ...], Target]:
        """Where the references of a file lead, by the places of their schemas."""
        return self.rewritten(path).targets

    def findings_of(self, path: str) -> tuple[SchemaFinding, ...]:
        """What is wrong in one file."""
        reach = self.reach([path])
        key = (path, self.names, reach.digests)
        if key not in _CHECKED:
            if len(_CHECKED) >= _MAX_CHECKED:
                _CHECKED.pop(next(iter(_CHECKED)))
            _CHECKED[key] = tuple(isolated("check_schema", (), lambda: self._check(path, reach)))
        return _CHECKED[key]

    def _check(self, path: str, reach: Reach) -> Iterator[SchemaFinding]:
        resource = self.resources[path]
        rewritten = self.rewritten(path)
        work = Work(path, resource, self, rewritten.targets)
        circles = isolated("endless", (), lambda: endless(path, resource, self))
        heavy = isolated("too_much", (), lambda: work.too_much(resource.roots))
        yield from rewritten.findings
        yield from circles
        yield from heavy
        usable = not (rewritten.findings or circles or heavy)
        for root in resource.roots:
            schema = at(resource.data, root)
            yield from check_schema(
                schema,
                at(rewritten.data, root),
                root,
                draft=draft_of(schema, draft_of(resource.data) or DEFAULT),
                registry=reach.registry(fancy=reach.fancy),
                fancy=reach.fancy,
                work=work if usable else None,
                own=False,
            )
