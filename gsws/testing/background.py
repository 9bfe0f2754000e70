"""An event loop in a thread of its own, for what tests talk to from outside of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

__all__ = ["LoopThread"]


class LoopThread:
    """
    One thing that is served by a loop in a thread; started and stopped once, with a deadline on either.

    Args:
        name: The thread's.
        serving: Entered on the loop, and left when it is to end.
        loop_factory: Makes the loop; asyncio's own if None.

    Attributes:
        loop: The loop, once it has started.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        name: str,
        serving: Callable[[], contextlib.AbstractAsyncContextManager[None]],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._serving = serving
        self._loop_factory = loop_factory
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def was_started(self) -> bool:
        """Whether it was told to start, however that ended."""
        return self._thread.ident is not None

    def start(self, seconds: float) -> None:
        """
        Start it, and wait until it serves.

        Raises:
            TimeoutError: If it does not in time.
            BaseException: Whatever it raised before.
        """
        self._thread.start()
        if not self._ready.wait(seconds):
            raise TimeoutError(f"{self._thread.name} did not start within {seconds:g} s")
        failure, self._failure = self._failure, None
        if failure is not None:
            self._thread.join(seconds)
            raise failure

    def end(self) -> None:
        """Tell it to end, and wait for nothing."""
        if self.is_alive:
            with contextlib.suppress(RuntimeError, AttributeError):  # it ends just now, or has no loop yet
                self.loop.call_soon_threadsafe(self._stopping.set)

    def stop(self, seconds: float) -> None:
        """
        Tell it to end, and wait until it has; does nothing if it does not run.

        Raises:
            TimeoutError: If it does not end in time.
            BaseException: Whatever it raised on its way.
        """
        self.end()
        if self.was_started:
            self._thread.join(seconds)
        if self.is_alive:
            raise TimeoutError(f"{self._thread.name} did not stop within {seconds:g} s: something holds up its loop")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._run())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._stopping = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        async with self._serving():
            self._ready.set()
            await self._stopping.wait()
