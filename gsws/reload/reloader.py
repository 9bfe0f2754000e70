"""Turns batches of changed files into revisions of a running service, or into findings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from gsws.diagnostics import Finding, Severity
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.reload.watch import watch
from gsws.runtime.service import Service

__all__ = ["ReloadReport", "Reloader"]


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

    async def run(self) -> None:
        """Watch until `stop`."""
        async for batch in watch(self._service.project.root, self._stop):
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
        service = self._service
        self._pending |= changed
        project = await asyncio.to_thread(self._load)
        findings = project.findings
        live = False
        if project.ok():
            findings = (*findings, *await service.reload(project, self._pending))
            live = not any(finding.severity is Severity.ERROR for finding in findings)
            if live:
                self._pending = set()
        shown = tuple(sorted(_shown(path, project.root) for path in changed))
        report = ReloadReport(project, findings, shown, live, time.monotonic() - began)
        self._report(report)
        return report

    def _load(self) -> Project:
        before = self._service.project
        return load_project(before.root, env=before.env, plugins=facts(), cache=self._cache)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
