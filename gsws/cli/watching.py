"""Doing something again whenever a file of a project changes, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gsws.cli import output
from gsws.reload.watch import watch

__all__ = ["watch_project"]


def watch_project(root: Path, act: Callable[[], object]) -> int:
    """
    Call ``act`` now and after every change below ``root``.

    Returns:
        0, after SIGINT or SIGTERM.
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(root, act))
    return output.GOOD


async def _watch(root: Path, act: Callable[[], object]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: a KeyboardInterrupt instead
            loop.add_signal_handler(number, stop.set)
    changes = watch(root, stop)

    async def following() -> set[Path] | None:
        return await anext(changes, None)

    # Watching begins before the first look, so that nothing changes unseen between the two.
    waiting = asyncio.ensure_future(following())
    await asyncio.sleep(0)
    try:
        while not stop.is_set():
            act()
            output.note(output.paint("watching for changes; Ctrl-C ends", "dim"))
            if await _first(waiting, stop) is None:
                return
            waiting = asyncio.ensure_future(following())
            await asyncio.sleep(0)
    finally:
        stop.set()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await changes.aclose()  # type: ignore[attr-defined]  # an async generator, though declared as iterator


async def _first(waiting: asyncio.Task[set[Path] | None], stop: asyncio.Event) -> set[Path] | None:
    """The next batch, or None as soon as it is to stop."""
    stopping = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {waiting, stopping}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() and not stop.is_set() else None
    finally:
        stopping.cancel()
