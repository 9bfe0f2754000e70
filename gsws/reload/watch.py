"""
Which files of a project changed, in batches.

The operating system's notifications if they can be had, else contents compared by hash: modification times are too
coarse for an editor that saves twice in a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import structlog
from watchfiles import Change, awatch

__all__ = ["is_watched", "poll", "watch"]

_STEP_MS: Final = 10
"""Quiet time that ends a batch: long enough for an editor's write and rename."""

_DEBOUNCE_MS: Final = 400
"""Longest time that changes are gathered, so that a checkout of a thousand files is one batch."""

_POLL_SECONDS: Final = 0.3

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".py", ".json"})
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_SKIPPED_AT_ROOT: Final = frozenset({"public", "venv", "build", "dist"})
"""Passed by beside `events/`; inside it they are names like any other."""


def is_watched(path: Path, root: Path) -> bool:
    """Tell whether a change of ``path`` can concern the project."""
    try:
        parts = path.relative_to(root).parts
    except ValueError:
        return False
    if not parts or parts[0] in _SKIPPED_AT_ROOT or parts[:2] == ("src", "public"):
        return False
    if any(part in _SKIPPED or (part.startswith(".") and part != ".env") for part in parts[:-1]):
        return False
    name = parts[-1]
    if name in _SKIPPED:
        return False
    if name == ".env" or name.startswith(".env."):
        return True
    if name.startswith(".") or name.endswith("~"):
        return False
    # A folder that appears or disappears brings or takes its files, without an event for each.
    return path.suffix in _SUFFIXES or path.suffix == "" or path.is_dir()


async def watch(root: Path, stop: asyncio.Event) -> AsyncIterator[set[Path]]:
    """
    Yield batches of changed, added or removed files until ``stop`` is set.

    Args:
        root: The project's root, a real path.
    """
    try:
        async for changes in awatch(
            root,
            watch_filter=lambda change, path: _concerns(change, Path(path), root),
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=stop,
            rust_timeout=1000,
            recursive=True,
        ):
            batch = {Path(path) for _, path in changes}
            if batch:
                yield batch
        return
    except (OSError, RuntimeError) as error:
        if stop.is_set():
            return
        structlog.get_logger("gsws").warning("no file notifications; comparing contents instead", reason=str(error))
    async for batch in poll(root, stop):
        yield batch


async def poll(root: Path, stop: asyncio.Event) -> AsyncIterator[set[Path]]:
    """Yield batches by comparing contents, three times a second."""
    before = await asyncio.to_thread(_contents, root)
    while not stop.is_set():
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await stop.wait()
        except TimeoutError:
            pass
        now = await asyncio.to_thread(_contents, root)
        batch = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
        before = now
        if batch:
            yield batch


def _concerns(change: Change, path: Path, root: Path) -> bool:
    del change
    return is_watched(path, root)


def _contents(root: Path) -> dict[Path, bytes]:
    return {path: digest for path in _files(root) if (digest := _digest(path)) is not None}


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        skipped = _SKIPPED | _SKIPPED_AT_ROOT if Path(folder) == root else _SKIPPED
        folders[:] = [name for name in folders if name not in skipped and not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if path.suffix in _SUFFIXES or name == ".env":
                yield path


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return None
