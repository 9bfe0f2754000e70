"""
The session of a client: it outlives its connections.

A run task connects, resumes, reads and connects again (protocol sections 3, 8 and 10); consumers wait on their
requests and never see a connection. Everything happens on one event loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gsws.client.credentials import Credentials
from gsws.client.dispatch import cancelled
from gsws.client.errors import ClientClosed, ClientError, ConnectFailed, ConnectionLost
from gsws.client.frames import Frame
from gsws.client.link import Endpoint, Link, LinkEnded, open_link
from gsws.client.pending import Pending
from gsws.client.policy import TOO_BIG, UNAUTHORIZED, Backoff, may_reconnect
from gsws.client.requests import Requests
from gsws.protocol.codec import encode

__all__ = ["Options", "Session"]

_ANSWER: Final = 10.0
"""Seconds that the server has for ``gsws.hello`` and for ``gsws.resumed``."""


@dataclass(frozen=True, slots=True)
class Options:
    """
    How a client behaves.

    Attributes:
        endpoint: Where and how to connect.
        client_id: Label of the connection (protocol P4.1), or None.
        resume: Whether to connect again and go on.
        backoff: How long to wait before.
        buffer: Bytes that wait for their consumers before the client stops reading.
        on_frame: Told of every message as it arrives, decoded.
        compact: Whether text that was missed in a cut comes as one piece.
    """

    endpoint: Endpoint
    client_id: str | None = None
    resume: bool = True
    backoff: Backoff = field(default_factory=Backoff)
    buffer: int = 2**20
    on_frame: Callable[[object], None] | None = None
    compact: bool = False


class Session(Requests):
    """
    What a client has while it lives, connected or not.

    Args:
        options: How to behave.
        credentials: Where tokens come from.
        on_session: Awaited after each new session has begun, the first included.

    Attributes:
        id: The session's id on the server; None in the plain profile and before the first connection.
        secret: Proves that the session is this client's.
        connections: How many connections were made.
    """

    def __init__(
        self, options: Options, credentials: Credentials, on_session: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(options.buffer, options.on_frame)
        self.options = options
        self.credentials = credentials
        self._on_session = on_session
        self.id: str | None = None
        self.connections = 0
        self.secret = ""
        self._rng = random.Random()  # noqa: S311  # jitter
        self._attempt = 0
        self._task: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def is_session(self) -> bool:
        return self.id is not None

    # What a client does.

    async def start(self) -> None:
        """
        Make the first connection.

        Raises:
            ConnectFailed: If it cannot be made.
            ConnectionLost: If the server ends it at once.
        """
        link = await self._open()
        try:
            await self._greet(link)
        except LinkEnded as ended:
            link.abort()
            raise ConnectionLost(ended.code, ended.reason) from None
        except BaseException:
            link.abort()
            raise
        self._task = asyncio.create_task(self._run(link))

    async def close(self) -> None:
        """End it; every open request fails with `ClientClosed`."""
        self.end(ClientClosed())
        if self.link is not None:
            await self.link.close()
        jobs = [*self._chores, *([self._task] if self._task is not None else [])]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def chore(self, work: Any) -> None:
        """Run something beside, until the session ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    # Connections, one after the other.

    async def _run(self, link: Link) -> None:
        try:
            while True:
                ended = await self._serve(link)
                self._cut(ended)
                link = await self._again(ended)
        except ClientError as error:
            self.end(error)
        except Exception as error:
            self.end(ConnectionLost(1006, f"the client failed: {error!r}"))
            raise

    async def _serve(self, link: Link) -> LinkEnded:
        """Write and read until the connection ends."""
        writer = asyncio.create_task(self._write(link))
        renewal = asyncio.create_task(self._renew())
        try:
            while True:
                await self.has_room()
                self.take(await link.receive())
        except LinkEnded as ended:
            return ended
        finally:
            self.link = None
            writer.cancel()
            renewal.cancel()
            results = await asyncio.gather(writer, renewal, return_exceptions=True)
            link.abort()
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, LinkEnded):
                    raise result

    async def _write(self, link: Link) -> None:
        """Send control frames, and requests while the server takes them."""
        while True:
            self.ready.clear()
            while self.control or self.draining_until is None:
                if self.control:
                    await link.send(self.control.popleft())
                    continue
                pending = self.unsent.next()
                if pending is None:
                    break
                message = pending.message()
                if self.unsent.largest is not None and len(message) > self.unsent.largest:
                    self._refuse(pending, len(message))
                    continue
                pending.is_sent = True
                pending.number = link.sent + 1
                await link.send(message)
            await self.ready.wait()

    def _refuse(self, pending: Pending, size: int) -> None:
        """End a request that the server would close the connection for (protocol P7.3)."""
        self.pending.pop(pending.id, None)
        self.done(pending.id)
        text = f"the message has {size} bytes; the server takes {self.unsent.largest} at most"
        payload = {"message": text, "error": "too_large", "code": 413, "retryable": False}
        pending.end(Frame("stream.error", payload))

    async def _renew(self) -> None:
        """Renew the token in band before it expires (protocol P4.3)."""
        while (wait := self.credentials.renew_in()) is not None:
            before = self.credentials.current
            await asyncio.sleep(wait)
            try:
                token = await self.credentials.fresh()
            except Exception:
                token = before
            if token != before:
                self.say("gsws.auth", {"token": token})

    def _cut(self, ended: LinkEnded) -> None:
        """The connection is gone: what cannot go on fails now."""
        self.control.clear()
        if not self.options.resume:
            raise ConnectionLost(ended.code, ended.reason)
        if self.id is None:
            for pending in [one for one in self.pending.values() if one.is_sent]:
                self.lost(pending, is_unknown=False, error=ConnectionLost(ended.code, ended.reason))
            self.orphans.clear()

    async def _again(self, ended: LinkEnded) -> Link:
        """Connect again as the close code says (protocol P7.4)."""
        if self.failure is not None:
            raise self.failure
        is_stale = ended.code == UNAUTHORIZED and self.credentials.can_renew
        # The server's limit may be another one by now; what is too large for it is known then, and ends alone.
        is_too_large = ended.code == TOO_BIG and not ended.is_ours and self.is_session
        if not (may_reconnect(ended.code) or self.is_leaving or is_stale or is_too_large):
            raise ConnectionLost(ended.code, ended.reason)
        loop = asyncio.get_running_loop()
        backoff = self.options.backoff
        begun = loop.time()
        wait = max(0.0, (self.draining_until or begun) - begun)
        self.is_leaving = False
        failure: ClientError = ConnectionLost(ended.code, ended.reason)
        while True:
            wait += backoff.delay(self._attempt, self._rng)
            if loop.time() - begun + wait > backoff.patience and self.draining_until is None:
                raise failure
            self._attempt += 1
            await asyncio.sleep(wait)
            self.draining_until = None
            wait = 0.0
            link = None
            try:
                link = await self._open()
                await self._greet(link)
            except ConnectFailed as error:
                failure = error
                stale = error.status == 401 and self.credentials.can_renew and not is_stale
                if not error.retryable and not stale:
                    raise
                is_stale = is_stale or stale
                wait = error.retry_after or 0.0
            except LinkEnded as error:
                failure = ConnectionLost(error.code, error.reason)
                if not may_reconnect(error.code):
                    raise failure from None
            except BaseException:
                if link is not None:
                    link.abort()
                raise
            else:
                return link
            if link is not None:
                link.abort()

    async def _open(self) -> Link:
        try:
            token = await self.credentials.fresh()
        except Exception as error:
            raise ConnectFailed(self.options.endpoint.url, f"the token function failed: {error!r}") from error
        return await open_link(self.options.endpoint, self.options.client_id, token)

    async def _greet(self, link: Link) -> None:
        """Learn the session, or resume the one before; afterwards the link is the session's."""
        is_new = True
        if link.is_session:
            try:
                async with asyncio.timeout(_ANSWER):
                    is_new = await self._resume(link)
            except TimeoutError:
                raise LinkEnded(1006, "the server did not say hello") from None
        else:
            self.id = None
        self.connections += 1
        self.link = link
        self.unsent.keep({id for id, one in self.pending.items() if one.is_sent})
        for id, is_followed in self.orphans.items():
            if not is_followed:
                self.say("gsws.cancel", {"id": id})
        self.orphans.clear()
        self.unfollowing.clear()
        for id in tuple(self.deferred):
            self.submit(self.deferred.pop(id))
        for pending in tuple(self.pending.values()):
            pending.number = 0
            if pending.is_sent and pending.is_followed:
                self._follow_again(pending)
            elif pending.is_sent and pending.is_cancelled:
                self.tell(pending.cancel_message())
        if self.acknowledged:
            self.flush()
        self.ready.set()
        if is_new and self._on_session is not None:
            self.chore(self._told(self._on_session()))

    async def _resume(self, link: Link) -> bool:
        """Exchange the first frames; True if the session is a new one."""
        hello = await self.expect(link, "gsws.hello")
        self.unsent.hello(hello)
        before, secret = self.id, self.secret
        session, self.secret = str(hello.get("session")), str(hello.get("secret"))
        self.id = session
        if before is None:
            return True
        asked = {one.id: one for one in self.pending.values() if one.is_sent and not one.is_followed}
        streams = {id: one.last for id, one in asked.items()}
        payload: dict[str, Any] = {"session": before, "secret": secret, "streams": streams}
        if self.options.compact:
            payload["compact"] = True
            for one in asked.values():
                one.is_compact = True
        await link.send(encode({"eventtype": "gsws.resume", "payload": payload}))
        # Until it is known which session goes on, another cut must ask for the old one again.
        self.id, self.secret, fresh = before, secret, self.secret
        resumed = await self.expect(link, "gsws.resumed")
        found = resumed.get("streams")
        goes_on = resumed.get("session") == before if "session" in resumed else bool(found) or not streams
        if not goes_on:
            self.id, self.secret = session, fresh
            self.acknowledged.clear()
        return not goes_on

    def _follow_again(self, pending: Pending) -> None:
        """What was followed over another connection is asked for again, from where it was."""
        if pending.is_cancelled:
            del self.pending[pending.id]
            pending.end(cancelled())
        else:
            pending.is_sent = False
            self.unsent.append(pending)

    async def _told(self, work: Awaitable[None]) -> None:
        try:
            await work
        except ClientError as error:
            if self.failure is None:
                self.end(error)

    # What dispatching needs.

    def progressed(self) -> None:
        """Something new arrived: the next cut is the first one."""
        self._attempt = 0
