"""
Running a module's code on the loop's own thread, for whoever builds a revision in another.

What a module makes at its top level (a connection to SQLite, a lock, a client) often belongs to the thread or the
loop that made it, and handlers run there. Reading and compiling, which belong to nobody, stay off the loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, Final, TypeVar

from gsws.routing.modules import FUNCTIONS, ModuleSet

__all__ = ["Importer"]

_MOST_SECONDS: Final = 30.0
"""How long the code of one module may hold up a running service; then it is given up."""

_T = TypeVar("_T")


class _GivenUp(BaseException):
    """Raised inside of code that holds up the loop; no `except Exception` of it gets in the way."""


class Importer:
    """
    Imports modules of a project on one loop.

    Args:
        modules: Where they come from.
        loop: Where their code runs.
        context: The context that it runs in; what it sets there lasts.

    Attributes:
        is_busy: Whether a module's code is running now.
    """

    def __init__(self, modules: ModuleSet, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self._modules = modules
        self._loop = loop
        self._context = context
        self._thread = threading.get_ident()
        self.is_busy = False
        self.is_limited = False

    def load(self, dotted: str) -> ModuleType:
        """
        Import ``functions/<dotted>.py``; from any thread but with its code run on the loop.

        Raises:
            BaseException: Whatever the module raises.
            TimeoutError: If its code holds up a service that is running for too long, or a signal came meanwhile.
        """
        if self._modules.is_loaded(dotted):
            return self._modules.load(dotted)
        if threading.get_ident() == self._thread:
            return self._run(dotted)
        self._modules.prepare([f"{FUNCTIONS}.{dotted}"])
        future: concurrent.futures.Future[ModuleType] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(_settle, future, lambda: self._run(dotted), context=self._context)
        return future.result()

    def _run(self, dotted: str) -> ModuleType:
        self.is_busy = True
        try:
            with _limited(_MOST_SECONDS if self.is_limited else None):
                return self._modules.load(dotted)
        except _GivenUp as error:
            raise TimeoutError(str(error)) from None
        finally:
            self.is_busy = False


def _settle(future: concurrent.futures.Future[_T], function: Callable[[], _T]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # user code may raise anything, SystemExit too
        future.set_exception(error)


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """
    Break off what the main thread does, after a time or by a signal that the loop would not see before it has ended.

    Only the main thread can be interrupted, and only where there are such timers.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> Any:
        del frame
        if number == signal.SIGALRM:
            raise _GivenUp(f"its code was still running after {seconds:g} s and held up the service")
        raise _GivenUp("the service was told to stop while its code was running")

    before = {number: signal.signal(number, give_up) for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM)}
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
