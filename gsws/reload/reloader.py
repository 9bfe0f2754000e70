"""Turns batches of changed files into revisions of a running service, or into findings."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from gsws.diagnostics import Finding, Severity
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.project.files.environment import parse_dotenv
from gsws.reload.watch import watch
from gsws.runtime.service import Service
from gsws.runtime.threads import ThreadPool

__all__ = ["DOTENV", "Check", "CheckTakesTooLong", "ReloadReport", "Reloader", "read_dotenv"]

DOTENV: Final = ".env"


class CheckTakesTooLong(Exception):
    """A project was looked at for ``seconds``, and there was no end of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"checking the project took longer than {self.seconds:g} s and was given up"


class Check:
    """One load of a project, to be run in a thread."""

    def __init__(self, root: Path, env: str, cache: ProjectCache) -> None:
        self._root = root
        self._env = env
        self._cache = cache
        self._thread: int | None = None

    def run(self) -> Project:
        """Load the project."""
        self._thread = threading.get_ident()
        try:
            return load_project(self._root, env=self._env, plugins=facts(), cache=self._cache)
        finally:
            self._thread = None

    def break_off(self) -> None:
        """Raise an exception in its thread; what is written in Python ends by it."""
        if self._thread is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(_BrokenOff))


class _BrokenOff(BaseException):
    """Ends a check that nobody waits for any more."""


def read_dotenv(root: Path) -> dict[str, str]:
    """The variables that ``.env`` itself gives, whatever the process's environment says."""
    try:
        return parse_dotenv(DOTENV, (root / DOTENV).read_bytes(), {})[0]
    except OSError:
        return {}


_SETTLE_SECONDS: Final = 0.03
"""How long a file that is being written is left alone before it is read again."""

_ATTEMPTS: Final = 5

_AGAIN_SECONDS: Final = 1.0

_OURS: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)
"""What ends the reloader itself."""

_CHECK_SECONDS: Final = 20.0
"""How long a project may be looked at before that is given up."""


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
        self._threads = ThreadPool(size=4)
        self._linked: frozenset[str] = frozenset()
        self._dotenv: dict[str, str] | None = None

    async def run(self) -> None:
        """Watch until `stop`; what changes before `begin` is kept until then."""
        root = self._service.project.root
        while not self._stop.is_set():
            try:
                async for batch in watch(root, self._stop, lambda: self._linked):
                    await self._begun.wait()
                    await self._guarded(batch)
            except _OURS:
                raise
            except BaseException as error:  # an extension's panic is no `Exception`; hot reload never ends in silence
                structlog.get_logger("gsws").error("watching for changes failed; beginning again", exc_info=error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def begin(self) -> None:
        """The service runs: from now on reload, beginning with what was saved since its project was loaded."""
        written: set[Path] = set()
        try:
            await self._checked()
            written = {Path(path) for path in self._cache.fresh()}
            await self._look_for_links()
        except _OURS:
            raise
        except BaseException as error:
            self._failed(error)
        self._dotenv = read_dotenv(self._service.project.root)
        if written:
            await self._guarded(written)
        self._begun.set()

    async def _guarded(self, batch: set[Path]) -> None:
        try:
            await self.reload(batch)
        except _OURS:
            raise
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        logger = structlog.get_logger("gsws")
        if isinstance(error, CheckTakesTooLong):
            logger.error("not reloaded; what ran before keeps running", error=str(error))
        else:
            logger.error("reload failed; the running revision stays", exc_info=error)

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
        await self._look_for_links()
        if any(path.name == DOTENV for path in changed):
            self._tell_overridden(project.root)
        live = not any(finding.severity is Severity.ERROR for finding in findings)
        if live:
            self._pending = set()
        # A folder that is gone has no name like a file's; still it has one.
        named = [path for path in changed if _is_file_like(path)] or changed
        shown = tuple(sorted(_shown(path, project.root) for path in named))
        report = ReloadReport(project, findings, shown, live, time.monotonic() - began)
        self._report(report)
        return report

    async def _attempt(self, *, is_last: bool) -> tuple[Project, tuple[Finding, ...]] | None:
        """Load and serve once; None if a file was being written meanwhile and it is worth another try."""
        service = self._service
        project = await self._checked()
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

    async def _checked(self) -> Project:
        """
        Load the project in a thread.

        Raises:
            CheckTakesTooLong: If that does not end in time; it is broken off.
        """
        before = self._service.project
        check = Check(before.root, before.env, self._cache)
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                return await self._threads.run(check.run)  # type: ignore[no-any-return]
        except TimeoutError:
            # Nobody knows what the thread still does with it.
            self._cache = ProjectCache()
            check.break_off()
            raise CheckTakesTooLong(_CHECK_SECONDS) from None

    async def _look_for_links(self) -> None:
        root = self._service.project.root
        self._linked = await self._threads.run(partial(_linked, self._cache.paths(), root))

    def _tell_overridden(self, root: Path) -> None:
        """Say which variables were changed in ``.env`` to no effect, because the process's own win (by name only)."""
        before, self._dotenv = self._dotenv or {}, read_dotenv(root)
        changed = {name for name, value in self._dotenv.items() if before.get(name) != value}
        if overridden := sorted(changed & os.environ.keys()):
            text = "variables of .env are set in the environment too, which wins; restart with others to change them"
            structlog.get_logger("gsws").warning(text, keys=overridden)


def _linked(paths: Set[str], root: Path) -> frozenset[str]:
    """The real paths of files that are reached through a link."""
    folders: dict[str, str] = {}
    found = set()
    for path in (*paths, str(root / DOTENV)):
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.realpath(path) if Path(path).is_symlink() else f"{folders[folder]}{os.sep}{name}"
        if real != path:
            found.add(real)
    return frozenset(found)


def _is_file_like(path: Path) -> bool:
    """Tell a file of the project, or a folder, from an editor's temporary file that is gone by now."""
    return bool(path.suffix) or path.is_dir() or path.name.startswith(".env")


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _always(read: Mapping[str, bytes]) -> bool:
    """A file that changes without end is taken as it was read; its next change brings the next batch."""
    del read
    return True
