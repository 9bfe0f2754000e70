"""
A credential on a live socket: it ends or is revoked (protocol P7.4). Renewing it is `gsws.runtime.dispatch.renewal`.

One timer of the source's wheel for each connection whose credential ends, and one for all that a file may end; no task
waits. Each connection is asked for its own standing, whoever noticed that the file is another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from gsws.protocol.closecodes import CloseCode
from gsws.runtime.identity.verdict import Unavailable, Verified

if TYPE_CHECKING:
    from gsws.runtime.identity.grantfile import GrantFile
    from gsws.runtime.wheel import Timer, Wheel
    from gsws.types import GSActor

__all__ = ["Expiries", "Expiry", "Holder", "Watcher"]

_LOOK_AGAIN: Final = 300.0
"""Seconds after which the wall clock is asked again: it may have been set, or the machine been asleep."""

_WATCH: Final = 0.5
"""Seconds between two looks at the files that may end a connection, while there is one."""

_BLIND: Final = 60.0
"""Seconds for which connections outlive a file that cannot be used; new ones are refused from the first moment on."""

_UNKNOWN: Final = 4000
"""Close code of a connection whose credential could not be checked for long: reconnect with back-off (P7.4)."""


class Holder(Protocol):
    """
    Who goes by a credential.

    Attributes:
        actor: Whose it is; set anew when that may do more or less than before.
    """

    actor: GSActor

    def close(self, code: int, reason: str) -> None:
        """End the connection; who has a session may come back."""

    def dismiss(self, code: int, reason: str) -> None:
        """End the connection and what would wait for it to come back."""


class Watcher(Protocol):
    """What knows how credentials stand: the files that say so, as they were read last."""

    @property
    def files(self) -> Sequence[GrantFile[Any]]:
        """The files that may end a connection."""

    def is_watched(self, verified: Verified) -> bool:
        """Whether one of them may end a connection with this credential."""

    def version(self) -> int:
        """Goes up whenever one of them says something else than before, whoever read it."""

    def standing(self, verified: Verified) -> Verified | None:
        """
        What a credential is worth by what was read last; None if it is good no more.

        Raises:
            Unavailable: If a file that it needs could not be used.
        """


class Expiries:
    """What the expiries of one source share."""

    def __init__(self, watcher: Watcher, wheel: Wheel) -> None:
        self.watcher = watcher
        self.wheel = wheel
        self._watched: set[Expiry] = set()
        self._fresh: set[Expiry] = set()
        self._seen = -1
        self._is_doubtful = False
        self._timer: Timer | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End what runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()

    def add(self, expiry: Expiry) -> None:
        """Watch what the files say of a connection; what they said while it was being let in counts too."""
        self._watched.add(expiry)
        self._fresh.add(expiry)
        if self._timer is None:
            self._timer = self.wheel.schedule(_WATCH, self._look)

    def discard(self, expiry: Expiry) -> None:
        self._watched.discard(expiry)
        self._fresh.discard(expiry)

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """Run a check of a moment."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _look(self) -> None:
        self._timer = None
        if not self._watched:
            return
        self._timer = self.wheel.schedule(_WATCH, self._look)
        if self._reading is not None and not self._reading.done():
            return
        watcher = self.watcher
        is_new = self._is_doubtful or bool(self._fresh) or watcher.version() != self._seen
        if is_new or any(file.may_have_changed() for file in watcher.files):
            self._reading = self.spawn(self._review())

    async def _review(self) -> None:
        watcher = self.watcher
        for file in watcher.files:
            # One that cannot be read now is tried again by the next look.
            with contextlib.suppress(Unavailable):
                await file.refresh()
        version = watcher.version()
        is_calm = version == self._seen and not self._is_doubtful
        is_calm = is_calm and all(file.troubled is None for file in watcher.files)
        asked, self._fresh = tuple(self._fresh if is_calm else self._watched), set()
        self._seen = version
        self._is_doubtful = False
        for expiry in asked:
            if not expiry.review():
                self._is_doubtful = True


class Expiry:
    """
    How long one connection may go on.

    Attributes:
        expiries: What it shares with the others of the config that it goes by.
        verified: The credential.
        is_renewing: Whether another one is being checked.
        is_over: Whether the connection has ended, or is about to.
    """

    __slots__ = ("_holder", "_is_doubtful", "_timer", "expiries", "is_over", "is_renewing", "verified")

    def __init__(self, holder: Holder, expiries: Expiries, verified: Verified) -> None:
        self._holder = holder
        self.expiries = expiries
        self._timer: Timer | None = None
        self.is_over = False
        self.is_renewing = False
        self._is_doubtful = False
        self.take(verified)

    def take(self, verified: Verified) -> None:
        """Go by this credential from now on."""
        self.verified = verified
        self._holder.actor = verified.actor
        if self.expiries.watcher.is_watched(verified):
            self.expiries.add(self)
        else:
            self.expiries.discard(self)
        self._schedule()

    def rebase(self, expiries: Expiries) -> None:
        """Go by another config from now on: its files are asked."""
        self.expiries.discard(self)
        self.expiries = expiries
        self.take(self.verified)

    def review(self) -> bool:
        """
        Ask the files what the credential is worth now; close with 4501 if nothing, twice in a row.

        A file that is being written in place may be short of what stands in it for a moment.

        Returns:
            False if it is to be asked again, though the files may not change.
        """
        watcher = self.expiries.watcher
        try:
            now = watcher.standing(self.verified)
        except Unavailable:
            since = min((file.troubled for file in watcher.files if file.troubled is not None), default=None)
            if since is not None and time.monotonic() - since > _BLIND:
                # Its standing is not known: the client may come back when it is.
                self.end()
                self._holder.close(_UNKNOWN, "credential cannot be checked")
                return True
            return False
        if now is None and self._is_doubtful:
            self.revoke("credential revoked")
            return True
        self._is_doubtful = now is None
        if now is not None and now is not self.verified:
            self._take_again(now)
        return not self._is_doubtful

    def _take_again(self, verified: Verified) -> None:
        self.verified = verified
        self._holder.actor = verified.actor
        self._schedule()

    def end(self) -> None:
        """The connection is closed."""
        self.is_over = True
        self.expiries.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def revoke(self, reason: str) -> None:
        """Close the connection with 4501; who is to come back has a better credential, and not this session."""
        self.end()
        self._holder.dismiss(CloseCode.UNAUTHORIZED, reason)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.verified.expires is not None:
            left = self.verified.expires + self.verified.leeway - time.time()
            self._timer = self.expiries.wheel.schedule(min(max(left, 0.0), _LOOK_AGAIN), self._due)

    def _due(self) -> None:
        self._timer = None
        expires = self.verified.expires
        if expires is not None and expires + self.verified.leeway > time.time():
            self._schedule()
        else:
            self.end()
            self._holder.close(CloseCode.UNAUTHORIZED, "token expired")
