"""
Tasks that handlers spawn: accounted to their request and to the service, and kept from ending the process.

The runtime's own tasks are made with `asyncio.Task` and do not come by here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from gsws.runtime.request import CURRENT

__all__ = ["CHILDREN", "account"]

_T = TypeVar("_T")

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
    if request.task is not None:
        if request.children is None:
            request.children = set()
        request.children.add(task)
        task.add_done_callback(request.children.discard)
    return task


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
