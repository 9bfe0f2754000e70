"""What goes wrong with a store of threads, as one exception with one sentence that names the store."""

from __future__ import annotations

from gsws.errors import GSWSError

__all__ = ["ThreadStoreError", "damaged"]


class ThreadStoreError(GSWSError):
    """
    The store of threads cannot be opened, read or written.

    Attributes:
        message: One sentence for the log or an operator; it names the store, never a password or what was said.
        help: What to do, or None.
        is_missing_package: Whether it is for want of a package that an extra of gsws installs.
    """

    def __init__(self, message: str, help: str | None = None, *, is_missing_package: bool = False) -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help
        self.is_missing_package = is_missing_package

    def __str__(self) -> str:
        return f"{self.message} ({self.help})" if self.help else self.message


def damaged(thread: object, store: object) -> ThreadStoreError:
    """The error of a thread whose stored state cannot be read."""
    return ThreadStoreError(f"the thread `{thread}` in `{store}` cannot be read: it is damaged")
