"""
Contexts of requests: what a handler sets in a context variable is gone with its request.

Plain handlers of one connection run in one task, and so in one context, because a task a message would cost as much as
the message. A handler that sets nothing leaves the context as it was; who does costs those behind it a little more.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any

__all__ = ["Isolated", "is_changed"]


def is_changed(before: Context) -> bool:
    """
    Tell whether the current context has other variables, or other values, than it had.

    Comparing takes no time if nothing was ever set. Equal values may still be other objects, which are looked for
    where there are variables besides the one that the runtime sets itself.
    """
    after = copy_context()
    try:
        if after != before:
            return True
    except Exception:  # a value of the project's cannot be compared
        return True
    return len(before) > 1 and any(after[variable] is not value for variable, value in before.items())


class Isolated:
    """Awaits a coroutine whose steps run in a context of their own, not in that of the task that awaits."""

    __slots__ = ("_context", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, None], context: Context) -> None:
        self._coroutine = coroutine
        self._context = context

    def __await__(self) -> Generator[Any, Any, None]:
        run, coroutine = self._context.run, self._coroutine
        error: BaseException | None = None
        while True:
            try:
                waits_for = run(coroutine.send, None) if error is None else run(coroutine.throw, error)
            except StopIteration:
                return
            error = None
            try:
                yield waits_for
            except GeneratorExit:
                run(coroutine.close)
                raise
            except BaseException as raised:  # a cancellation, which is the coroutine's
                error = raised
