"""Turns batches of changed files into revisions of a running service, or into findings."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from gsws.diagnostics import Finding, Severity
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.reload.watch import watch
from gsws.runtime.service import Service

__all__ = ["ReloadReport", "Reloader"]


_SETTLE_SECONDS: Final = 0.03
"""How long a file that is being written is left alone before it is read again."""

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """
    What came of one batch of changes.

    Attributes:
        project: The project as its files are now.
        findings: Everything that is wrong with it, errors and others.
        changed: Paths relative to the root, sorted.
        live: Whether the new revision is served.
        seconds: From the batch to the outcome.
    """

    project: Project
    findings: tuple[Finding, ...]
    changed: tuple[str, ...]
    live: bool
    seconds: float


class Reloader:
    """
    Watches a project and reloads its service; one batch after the other.

    Changes of a batch that failed are kept and taken in with the next one, so that code which was saved beside a
    broken file goes live when that file is mended.

    Args:
        service: The running service.
        cache: The cache with which its project was loaded.
        report: Called on the loop with every outcome.
    """

    def __init__(self, service: Service, cache: ProjectCache, report: Callable[[ReloadReport], None]) -> None:
        self._service = service
        self._cache = cache
        self._report = report
        self._pending: set[Path] = set()
        self._stop = asyncio.Event()
        self._begun = asyncio.Event()
        self._seen_empty: set[str] = set()

    async def run(self) -> None:
        """Watch until `stop`; what changes before `begin` is kept until then."""
        async for batch in watch(self._service.project.root, self._stop):
            await self._begun.wait()
            await self._guarded(batch)

    async def begin(self) -> None:
        """The service runs: from now on reload, beginning with what was saved since its project was loaded."""
        await asyncio.to_thread(self._load)
        written = {Path(path) for path in self._cache.fresh()}
        if written:
            await self._guarded(written)
        self._begun.set()

    async def _guarded(self, batch: set[Path]) -> None:
        try:
            await self.reload(batch)
        except Exception as error:
            structlog.get_logger("gsws").error("reload failed; the running revision stays", exc_info=error)

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    async def reload(self, changed: set[Path]) -> ReloadReport:
        """Load what changed; serve it if nothing is wrong, else keep the running revision."""
        began = time.monotonic()
        self._pending |= changed
        if any(not path.exists() for path in changed):
            # Between the two steps of an editor that removes and writes, or renames over.
            await asyncio.sleep(_SETTLE_SECONDS)
        project = self._service.project
        findings: tuple[Finding, ...] = ()
        for attempt in range(_ATTEMPTS):
            outcome = await self._attempt(is_last=attempt == _ATTEMPTS - 1)
            if outcome is not None:
                project, findings = outcome
                break
            await asyncio.sleep(_SETTLE_SECONDS)
        live = not any(finding.severity is Severity.ERROR for finding in findings)
        if live:
            self._pending = set()
        shown = tuple(sorted(_shown(path, project.root) for path in changed if _is_file_like(path)))
        report = ReloadReport(project, findings, shown, live, time.monotonic() - began)
        self._report(report)
        return report

    async def _attempt(self, *, is_last: bool) -> tuple[Project, tuple[Finding, ...]] | None:
        """Load and serve once; None if a file was being written meanwhile and it is worth another try."""
        service = self._service
        project = await asyncio.to_thread(self._load)
        is_settled = _always if is_last else self._is_settled
        if not is_settled(self._cache.fresh()):
            return None
        findings = project.findings
        if project.ok():
            reloaded = await service.reload(project, self._pending, is_settled)
            if reloaded is None:
                return None
            findings = (*findings, *reloaded)
        return project, findings

    def _is_settled(self, read: Mapping[str, bytes]) -> bool:
        """
        Tell whether files still are what was read.

        A file that is empty counts as being written the first time it is seen so: most programs truncate, then write.
        """
        settled = True
        for path, digest in read.items():
            try:
                content = Path(path).read_bytes()
            except OSError:
                content = b""
            if not content.strip() and path not in self._seen_empty:
                self._seen_empty.add(path)
                settled = False
            elif content.strip():
                self._seen_empty.discard(path)
            settled = settled and hashlib.blake2b(content, digest_size=16).digest() == digest
        return settled

    def _load(self) -> Project:
        before = self._service.project
        return load_project(before.root, env=before.env, plugins=facts(), cache=self._cache)


def _is_file_like(path: Path) -> bool:
    """Tell a file of the project, or a folder, from an editor's temporary file that is gone by now."""
    return bool(path.suffix) or path.is_dir() or path.name.startswith(".env")


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _always(read: Mapping[str, bytes]) -> bool:
    """A file that changes without end is taken as it was read; its next change brings the next batch."""
    del read
    return True
