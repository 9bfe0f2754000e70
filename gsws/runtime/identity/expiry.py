"""
A credential on a live socket: it ends, is revoked, or is renewed in band (protocol P4.3 and P7.4).

One timer of the source's wheel for each connection whose credential ends, and one for all that a file may end; no task
waits. Each connection is asked for its own standing, whoever noticed that the file is another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.types import RequestId

if TYPE_CHECKING:
    from gsws.runtime.identity.authenticator import Identity
    from gsws.runtime.sessions.client import Client
    from gsws.runtime.wheel import Timer, Wheel

__all__ = ["Lease", "Leases", "renew"]

_LOOK_AGAIN: Final = 300.0
"""Seconds after which the wall clock is asked again: it may have been set, or the machine been asleep."""

_WATCH: Final = 0.5
"""Seconds between two looks at the files that may end a connection, while there is one."""

_BLIND: Final = 60.0
"""Seconds for which connections outlive a file that cannot be used; new ones are refused from the first moment on."""

_UNKNOWN: Final = 4000
"""Close code of a connection whose credential could not be checked for long: reconnect with back-off (P7.4)."""

_RENEWAL: Final = 10.0
"""Seconds that the check of a renewed token may take."""


class Leases:
    """What the leases of one source share."""

    def __init__(self, identity: Identity, wheel: Wheel) -> None:
        self.identity = identity
        self.wheel = wheel
        self._watched: set[Lease] = set()
        self._fresh: set[Lease] = set()
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

    def add(self, lease: Lease) -> None:
        """Watch what the files say of a connection; what they said while it was being let in counts too."""
        self._watched.add(lease)
        self._fresh.add(lease)
        if self._timer is None:
            self._timer = self.wheel.schedule(_WATCH, self._look)

    def discard(self, lease: Lease) -> None:
        self._watched.discard(lease)
        self._fresh.discard(lease)

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
        identity = self.identity
        is_new = self._is_doubtful or bool(self._fresh) or identity.version() != self._seen
        if is_new or any(file.may_have_changed() for file in identity.files):
            self._reading = self.spawn(self._review())

    async def _review(self) -> None:
        identity = self.identity
        for file in identity.files:
            # One that cannot be read now is tried again by the next look.
            with contextlib.suppress(Unavailable):
                await file.refresh()
        version = identity.version()
        is_calm = version == self._seen and not self._is_doubtful
        is_calm = is_calm and all(file.troubled is None for file in identity.files)
        asked, self._fresh = tuple(self._fresh if is_calm else self._watched), set()
        self._seen = version
        self._is_doubtful = False
        for lease in asked:
            if not lease.review():
                self._is_doubtful = True


class Lease:
    """How long one connection may go on."""

    __slots__ = ("_client", "_is_doubtful", "_leases", "_timer", "is_renewing", "verified")

    def __init__(self, client: Client, leases: Leases, verified: Verified) -> None:
        self._client = client
        self._leases = leases
        self._timer: Timer | None = None
        self.is_renewing = False
        self._is_doubtful = False
        self.take(verified)

    @property
    def identity(self) -> Identity:
        return self._leases.identity

    def take(self, verified: Verified) -> None:
        """Go by this credential from now on."""
        self.verified = verified
        self._client.actor = verified.actor
        if self.identity.is_watched(verified):
            self._leases.add(self)
        else:
            self._leases.discard(self)
        self._schedule()

    def rebase(self, leases: Leases) -> None:
        """Go by another config from now on: its files are asked."""
        self._leases.discard(self)
        self._leases = leases
        self.take(self.verified)

    def review(self) -> bool:
        """
        Ask the files what the credential is worth now; close with 4501 if nothing, twice in a row.

        A file that is being written in place may be short of what stands in it for a moment.

        Returns:
            False if it is to be asked again, though the files may not change.
        """
        identity = self.identity
        try:
            now = identity.standing(self.verified)
        except Unavailable:
            since = min((file.troubled for file in identity.files if file.troubled is not None), default=None)
            if since is not None and time.monotonic() - since > _BLIND:
                # Its standing is not known: the client may come back when it is.
                self.end()
                self._client.close(_UNKNOWN, "credential cannot be checked")
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
        self._client.actor = verified.actor
        self._schedule()

    def move(self, client: Client) -> None:
        """Be another client's from now on: a session that goes on over this connection."""
        self._client = client
        client.actor = self.verified.actor

    def end(self) -> None:
        """The connection is closed."""
        self._leases.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def revoke(self, reason: str) -> None:
        """Close the connection with 4501; who is to come back has a better credential, and not this session."""
        self.end()
        self._client.dismiss(CloseCode.UNAUTHORIZED, reason)

    def start(self, work: Any) -> None:
        self._leases.spawn(work)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.verified.expires is not None:
            left = self.verified.expires + self.verified.leeway - time.time()
            self._timer = self._leases.wheel.schedule(min(max(left, 0.0), _LOOK_AGAIN), self._due)

    def _due(self) -> None:
        self._timer = None
        expires = self.verified.expires
        if expires is not None and expires + self.verified.leeway > time.time():
            self._schedule()
        else:
            self.end()
            self._client.close(CloseCode.UNAUTHORIZED, "token expired")


def renew(client: Client, id: RequestId | None, payload: Any) -> None:
    """Take ``gsws.auth {"token"}``; the answer is ``gsws.authenticated`` or an error, and the connection goes on."""
    token = payload.get("token") if isinstance(payload, dict) else None
    lease = client.lease
    if not isinstance(token, str):
        client.misused("`gsws.auth` needs a `token` in its payload", id)
    elif lease is None:
        _refuse(client, id, "unauthorized", "this connection has no credential to renew; connect again with one")
    elif lease.is_renewing:
        _refuse(client, id, "too_many_requests", "a renewal is being checked", retry_after_ms=1000)
    else:
        lease.is_renewing = True
        lease.start(_renew(client, lease, id, token))


async def _renew(client: Client, lease: Lease, id: RequestId | None, token: str) -> None:
    try:
        async with asyncio.timeout(_RENEWAL):
            verified = await lease.identity.renewed(token, client.connection)
        if verified.actor.subject != lease.verified.actor.subject:
            raise Refused("the subject may not change")  # noqa: TRY301
    except Exception as error:  # whatever it was, the credential was not renewed
        reason = error.reason if isinstance(error, Refused) else "it could not be checked"
        cause = error.__cause__ if isinstance(error, Refused | Unavailable | TimeoutError) else error
        lease.identity.refuse_renewal(reason, cause, connection=client.id, client=client.label)
        if isinstance(error, Refused) and error.is_forbidden:
            # Known, and no longer allowed: the credential before counts no more either.
            _refuse(client, id, "forbidden", "this credential may no longer be used here")
            if client.lease is lease:
                lease.end()
            client.close(CloseCode.FORBIDDEN, "forbidden")
            return
        _refuse(client, id, "unauthorized", "the token is not good; the connection ends with the one before")
        return
    finally:
        lease.is_renewing = False
    if client.is_open and client.lease is lease:
        lease.take(verified)
        left = None if verified.expires is None else max(0, int((verified.expires - time.time()) * 1000))
        client.connection.send_text(frame("gsws.authenticated", {"expires_in_ms": left}, id))


def _refuse(client: Client, id: RequestId | None, name: str, message: str, **details: Any) -> None:
    client.source.counters.add(f"errors.{name}")
    if client.is_open:
        client.connection.send_text(frame("stream.error", error_payload(name, message, **details), id))
