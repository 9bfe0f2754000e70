"""A function that runs beside a test, in a thread: what it raises is the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["beside"]


@contextmanager
def beside(function: Callable[[], Any], seconds: float = 15) -> Iterator[threading.Thread]:
    """
    Run a function in a thread while the block runs, and wait for its end after it.

    Raises:
        AssertionError: If it has not ended so many seconds after the block.
        BaseException: What the function raised, unless the block raised something itself.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # raised again where somebody looks
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield thread
    thread.join(seconds)
    assert not thread.is_alive(), f"still running {seconds} s after the block"
    if errors:
        raise errors[0]
