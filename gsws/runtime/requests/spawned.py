"""
Tasks that handlers spawn: accounted to the service, and kept from ending the process.

A request that is cancelled takes with it what its handler awaits, as everywhere in asyncio; a task that nobody awaits,
or that is shielded, goes on, and gets the drain time when the service ends.

The runtime's own tasks are made with `asyncio.Task` and do not come by here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Final, TypeVar

from gsws.runtime.requests.request import CURRENT

__all__ = ["CHILDREN", "account", "end_children"]

_T = TypeVar("_T")

_LOOK: Final = 0.05
_LAST_WAIT: Final = 1.0
_MOST_NAMES: Final = 5

CHILDREN: set[asyncio.Task[Any]] = set()
"""Tasks of handlers that still run, in this process."""


def account(loop: asyncio.AbstractEventLoop, coroutine: Any, **keywords: Any) -> asyncio.Task[Any]:
    """Make a task; the task factory of a service's loop."""
    request = CURRENT.get()
    if request is None:
        return asyncio.Task(coroutine, loop=loop, **keywords)
    task: asyncio.Task[Any] = asyncio.Task(_Contained(coroutine), loop=loop, **keywords)
    CHILDREN.add(task)
    task.add_done_callback(CHILDREN.discard)
    return task


async def end_children(seconds: float, hurry: asyncio.Event, logger: Any) -> None:
    """
    Let what handlers left running come to its end, then cancel it and say so.

    Args:
        seconds: How long it may take.
        hurry: Set when there is no time.
        logger: Where the tasks that had to be cancelled are named.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while (left := _left()) and not hurry.is_set() and asyncio.get_running_loop().time() < deadline:
        await asyncio.wait(left, timeout=_LOOK)
    if left:
        names = sorted({str(getattr(task.get_coro(), "__qualname__", task.get_name())) for task in left})
        logger.warning("cancelling tasks that handlers left running", tasks=len(left), names=names[:_MOST_NAMES])
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_LAST_WAIT)


def _left() -> list[asyncio.Task[Any]]:
    me = asyncio.current_task()
    return [task for task in CHILDREN if task is not me and not task.done()]


class _Contained(Coroutine[Any, Any, Any]):
    """
    A coroutine whose `SystemExit` and `KeyboardInterrupt` are errors like any other.

    A task lets these two through to the event loop, which then ends, and the whole service with it.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return _contain(self._coroutine.send, value)

    def throw(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Any:
        return _contain(self._coroutine.throw, typ if val is None else val)

    def close(self) -> None:
        self._coroutine.close()


def _contain(step: Callable[[Any], _T], value: Any) -> _T:
    try:
        return step(value)
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"a task of a handler raised {type(error).__name__}") from error
