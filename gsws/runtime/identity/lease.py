"""
A credential on a live socket: it ends, is revoked, or is renewed in band (protocol P4.3 and P7.4).

One timer of the source's wheel for each connection whose credential ends, and one for all that came with API keys;
no task waits.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.types import RequestId

if TYPE_CHECKING:
    from gsws.runtime.client import Client
    from gsws.runtime.identity.identity import Identity
    from gsws.runtime.transport.wheel import Timer, Wheel

__all__ = ["Lease", "Leases", "renew"]

_LOOK_AGAIN: Final = 300.0
"""Seconds after which the wall clock is asked again: it may have been set, or the machine been asleep."""

_WATCH: Final = 1.0
"""Seconds between two looks at the file of API keys while somebody is connected by one."""

_RENEWAL: Final = 10.0
"""Seconds that the check of a renewed token may take."""


class Leases:
    """What the leases of one source share."""

    def __init__(self, identity: Identity, wheel: Wheel) -> None:
        self.identity = identity
        self.wheel = wheel
        self._by_key: set[Lease] = set()
        self._timer: Timer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End what runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()

    def add(self, lease: Lease) -> None:
        """Watch for a key's revocation."""
        self._by_key.add(lease)
        if self._timer is None:
            self._timer = self.wheel.schedule(_WATCH, self._look)

    def discard(self, lease: Lease) -> None:
        self._by_key.discard(lease)

    def spawn(self, work: Any) -> None:
        """Run a check of a moment."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look(self) -> None:
        self._timer = None
        keys = self.identity.keys
        if not self._by_key or keys is None:
            return
        self._timer = self.wheel.schedule(_WATCH, self._look)
        if keys.is_changed():
            self.spawn(self._reread())

    async def _reread(self) -> None:
        keys = self.identity.keys
        assert keys is not None
        await keys.refresh()
        for lease in tuple(self._by_key):
            id = lease.verified.key
            now = keys.current(id) if id is not None else None
            if now is None or now.actor.subject != lease.verified.actor.subject:
                lease.revoke("credential revoked")
            else:
                lease.take(now)


class Lease:
    """How long one connection may go on."""

    __slots__ = ("_client", "_leases", "_timer", "is_renewing", "verified")

    def __init__(self, client: Client, leases: Leases, verified: Verified) -> None:
        self._client = client
        self._leases = leases
        self._timer: Timer | None = None
        self.is_renewing = False
        self.take(verified)

    @property
    def identity(self) -> Identity:
        return self._leases.identity

    def take(self, verified: Verified) -> None:
        """Go by this credential from now on."""
        self.verified = verified
        self._client.actor = verified.actor
        if verified.key is not None:
            self._leases.add(self)
        else:
            self._leases.discard(self)
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
        self._client.expel(CloseCode.UNAUTHORIZED, reason)

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
        client.logger.info("refused a renewed credential", reason=reason, exc_info=cause)
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
