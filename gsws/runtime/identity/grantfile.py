"""
A file that decides who gets in, as it is now: read again whenever it may have changed, believed only if it was read.

A read that fails, or is given up, has read nothing: it is done again, and until one succeeds the file says nothing,
which refuses. Who asks first takes nothing from those who ask later: they compare `version`.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

from gsws.errors import GSWSError
from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.verdict import Unavailable
from gsws.yaml.document import Document
from gsws.yaml.reading import parse_yaml

__all__ = ["MAX_BYTES", "GrantFile", "GrantFileError", "parse_grants", "read_grants"]

MAX_BYTES: Final = 2**20

_FRESH: Final = 2.0
"""Seconds after a change in which another one may leave time and size of the file as they are."""

_DEADLINE: Final = 5.0
"""Seconds that one read may take."""

_REPEAT: Final = 0.25
"""Seconds between two reads of a file that could not be used and has not changed."""

_Stamp: TypeAlias = tuple[int, int, int, int, int] | None
_T = TypeVar("_T")


class GrantFileError(GSWSError):
    """A file that cannot be used; the message says where and why, and shows nothing of it."""


class GrantFile(Generic[_T]):
    """
    What one file says.

    Args:
        path: The file.
        parse: Reads it, in a thread; raises `GrantFileError`.
        threads: Where.
        logger: Told once of each trouble, and of its end.
        what: The file in a sentence, e.g. ``the file of API keys``.
        absent: What it says when it is not there; None: nothing can be said.

    Attributes:
        value: What it says; None while that is not known, and nobody may be let in by it.
        version: Goes up with each change of `value`.
        trouble: Why `value` is None, or why it is what an absent file says.
        troubled: Monotonic time at which `value` became None, or None.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[Path], _T],
        threads: CheckThreads,
        logger: Any,
        *,
        what: str,
        absent: _T | None = None,
    ) -> None:
        self.path = path
        self.value: _T | None = None
        self.version = 0
        self.trouble: str | None = None
        self.troubled: float | None = None
        self._parse = parse
        self._threads = threads
        self._logger = logger
        self._what = what
        self._absent = absent
        self._stamp: _Stamp = None
        self._is_settled = False
        self._began = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """
        Read the file for the first time.

        Raises:
            GrantFileError: If it cannot be used.
        """
        self._take(time.monotonic(), *await self._threads.run(self._read), is_first=True)
        if self.trouble is not None:
            raise GrantFileError(self.trouble)

    def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()

    def may_have_changed(self) -> bool:
        """Whether the file is to be read again: it is another, it may be another, or it could not be used."""
        return not self._is_settled or self._stamp_now() != self._stamp

    async def refresh(self) -> None:
        """
        Read the file again if it may have changed; what it says afterwards is not older than this call.

        Raises:
            Unavailable: If it cannot be read now.
        """
        arrived = time.monotonic()
        for _ in range(3):
            if not self.may_have_changed() or self._began >= arrived or self._is_hopeless(arrived):
                return
            # A read that began before the call may have missed the change: then one more follows.
            await asyncio.shield(self._reading or self._start())
        raise Unavailable(f"{self._what} does not come to rest")

    async def current(self) -> _T:
        """
        What the file says now.

        Raises:
            Unavailable: If that is not known.
        """
        await self.refresh()
        if self.value is None:
            raise Unavailable(f"{self._what} cannot be used")
        return self.value

    def _is_hopeless(self, now: float) -> bool:
        return self.trouble is not None and now - self._began < _REPEAT and self._stamp_now() == self._stamp

    def _start(self) -> asyncio.Task[None]:
        self._reading = asyncio.get_running_loop().create_task(self._run())
        self._reading.add_done_callback(self._ended)
        return self._reading

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody may have waited

    async def _run(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE):
                outcome = await self._threads.run(self._read)
        except TimeoutError:
            outcome = (None, False, None, "it could not be read in time")
        self._take(began, *outcome)

    def _take(
        self,
        began: float,
        stamp: _Stamp,
        settled: bool,
        value: _T | None,
        trouble: str | None,
        *,
        is_first: bool = False,
    ) -> None:
        if trouble is not None and trouble != self.trouble and not is_first:
            outcome = "cannot be used" if value is None else "is gone"
            self._logger.error(f"{self._what} {outcome}; nobody is let in by it", error=trouble, file=self.path.name)
        elif trouble is None and self.trouble is not None:
            self._logger.info(f"{self._what} is good again", file=self.path.name)
        if value != self.value:
            self.value = value
            self.version += 1
        if value is not None:
            self.troubled = None
        elif self.troubled is None:
            self.troubled = began
        self._began, self._stamp, self.trouble = began, stamp, trouble
        self._is_settled = settled and trouble is None

    def _read(self) -> tuple[_Stamp, bool, _T | None, str | None]:
        """Stamp, whether the stamp will tell of the next change, what the file says, what is wrong with it."""
        stamp = None
        try:
            # Taken before the contents: of a change in between, the next look sees that the stamp is another.
            status = self.path.stat()
            stamp = _stamp_of(status)
            age = time.time() - max(status.st_mtime, status.st_ctime)
            return stamp, age > _FRESH, self._parse(self.path), None
        except (FileNotFoundError, NotADirectoryError):
            return None, False, self._absent, f"`{self.path.name}` is not there"
        except OSError as error:
            return stamp, False, None, f"`{self.path.name}` cannot be read: {error.strerror}"
        except GrantFileError as error:
            return stamp, False, None, str(error)
        except Exception as error:  # whatever odd contents provoke: they say nothing
            return stamp, False, None, f"`{self.path.name}` cannot be used: {type(error).__name__}"

    def _stamp_now(self) -> _Stamp:
        try:
            return _stamp_of(self.path.stat())
        except OSError:
            return None


def read_grants(path: Path) -> bytes:
    """
    Read a small regular file.

    Raises:
        GrantFileError: If it is none, too large, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise GrantFileError(f"`{path.name}` is no regular file")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise GrantFileError(f"`{path.name}` cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise GrantFileError(f"`{path.name}` is larger than {MAX_BYTES} bytes")
    return data


def parse_grants(path: Path) -> Document:
    """
    Read a small file of YAML without a fault.

    Raises:
        GrantFileError: If it is none.
    """
    document = parse_yaml(path.name, read_grants(path))
    if (failure := document.failure()) is not None:
        raise GrantFileError(failure)
    return document


def _stamp_of(status: os.stat_result) -> _Stamp:
    # The time of the change of the entry cannot be set back, as that of the contents can.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
