"""
The session of a client: it outlives its connections.

A run task connects, resumes, reads and connects again (protocol sections 3, 8 and 10); consumers wait on their
requests and never see a connection. Everything happens on one event loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gsws.client.credentials import Credentials
from gsws.client.dispatch import Dispatch
from gsws.client.draining import Draining
from gsws.client.errors import ClientClosed, ClientError, ConnectFailed, ConnectionLost
from gsws.client.flow import Flow, Subscribers
from gsws.client.link import Link, LinkEnded, Options, open_link
from gsws.client.outbox import Outbox
from gsws.client.policy import TOO_BIG, UNAUTHORIZED, may_reconnect
from gsws.client.requests import Requests
from gsws.protocol.codec import encode

__all__ = ["Session"]

_ANSWER: Final = 10.0
"""Seconds that the server has for ``gsws.hello`` and for ``gsws.resumed``."""

_COME_BACK: Final = 4000
"""Close code of a client that comes back (protocol P6.7)."""


class Session:
    """
    What a client has while it lives, connected or not.

    Args:
        options: How to behave.
        credentials: Where tokens come from.
        on_session: Awaited after each new session has begun, the first included.

    Attributes:
        link: The connection, or None.
        requests: What was asked and is not answered.
        outbox: Control frames to be sent.
        subscribers: Whoever iterates pushes.
        flow: What has arrived and was not taken.
        id: The session's id on the server; None in the plain profile and before the first connection.
        secret: Proves that the session is this client's.
        connections: How many connections were made.
    """

    def __init__(
        self, options: Options, credentials: Credentials, on_session: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.options = options
        self.credentials = credentials
        self.link: Link | None = None
        self.id: str | None = None
        self.connections = 0
        self.secret = ""
        self.flow = Flow(options.buffer)
        self.outbox = Outbox()
        self.subscribers = Subscribers(self.flow)
        self._draining = Draining(self._may_leave, self._leave)
        self.requests = Requests(self.outbox, self._draining.leave_if_idle)
        self._dispatch = Dispatch(self.requests, self.outbox, self.subscribers, self._draining, options.on_frame)
        self._on_session = on_session
        self._rng = random.Random()  # noqa: S311  # jitter
        self._attempt = 0
        self._task: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

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
        self._end(ClientClosed())
        if self.link is not None:
            await self.link.close()
        jobs = [*self._chores, *([self._task] if self._task is not None else [])]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _end(self, error: ClientError) -> None:
        """Fail everything that is open."""
        self.requests.end(error)
        self.outbox.end()
        self.subscribers.end(self.requests.failure or error)

    def _chore(self, work: Any) -> None:
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
            self._end(error)
        except Exception as error:
            self._end(ConnectionLost(1006, f"the client failed: {error!r}"))
            raise

    async def _serve(self, link: Link) -> LinkEnded:
        """Write and read until the connection ends."""
        writer = asyncio.create_task(self._write(link))
        renewal = asyncio.create_task(self._renew())
        try:
            while True:
                await self.flow.has_room()
                self._dispatch.take(await link.receive())
        except LinkEnded as ended:
            return ended
        finally:
            self.link = None
            self.outbox.is_connected = False
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
            self.outbox.ready.clear()
            while self.outbox.control or self._draining.until is None:
                if self.outbox.control:
                    await link.send(self.outbox.control.popleft())
                    continue
                pending = self.requests.unsent.next()
                if pending is None:
                    break
                message = pending.message()
                if self.requests.is_too_large(pending, len(message)):
                    continue
                pending.is_sent = True
                pending.number = link.sent + 1
                await link.send(message)
            await self.outbox.ready.wait()

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
                self.outbox.say("gsws.auth", {"token": token})

    def _cut(self, ended: LinkEnded) -> None:
        """The connection is gone: what cannot go on fails now."""
        self.outbox.control.clear()
        if not self.options.resume:
            raise ConnectionLost(ended.code, ended.reason)
        if self.id is None:
            self.requests.cut(ConnectionLost(ended.code, ended.reason))

    async def _again(self, ended: LinkEnded) -> Link:
        """Connect again as the close code says (protocol P7.4)."""
        if self.requests.failure is not None:
            raise self.requests.failure
        is_stale = ended.code == UNAUTHORIZED and self.credentials.can_renew
        # The server's limit may be another one by now; what is too large for it is known then, and ends alone.
        is_too_large = ended.code == TOO_BIG and not ended.is_ours and self.id is not None
        if not (may_reconnect(ended.code) or self._draining.is_leaving or is_stale or is_too_large):
            raise ConnectionLost(ended.code, ended.reason)
        loop = asyncio.get_running_loop()
        backoff = self.options.backoff
        begun = loop.time()
        wait = max(0.0, (self._draining.until or begun) - begun)
        self._draining.is_leaving = False
        failure: ClientError = ConnectionLost(ended.code, ended.reason)
        while True:
            if self._dispatch.has_progressed:
                self._attempt = 0
                self._dispatch.has_progressed = False
            wait += backoff.delay(self._attempt, self._rng)
            if loop.time() - begun + wait > backoff.patience and self._draining.until is None:
                raise failure
            self._attempt += 1
            await asyncio.sleep(wait)
            self._draining.until = None
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
            raise ConnectFailed(self.options.url, f"the token function failed: {error!r}") from error
        return await open_link(self.options, token)

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
        self.outbox.is_session = link.is_session
        self.outbox.is_connected = True
        self.requests.connected()
        self.outbox.flush()
        self.outbox.ready.set()
        if is_new and self._on_session is not None:
            self._chore(self._told(self._on_session()))

    async def _resume(self, link: Link) -> bool:
        """Exchange the first frames; True if the session is a new one."""
        hello = await self._dispatch.expect(link, "gsws.hello")
        self.requests.unsent.hello(hello)
        before, secret = self.id, self.secret
        session, self.secret = str(hello.get("session")), str(hello.get("secret"))
        self.id = session
        if before is None:
            return True
        asked = {one.id: one for one in self.requests.sent if not one.is_followed}
        streams = {id: one.last for id, one in asked.items()}
        payload: dict[str, Any] = {"session": before, "secret": secret, "streams": streams}
        if self.options.compact:
            payload["compact"] = True
            for one in asked.values():
                one.is_compact = True
        await link.send(encode({"eventtype": "gsws.resume", "payload": payload}))
        # Until it is known which session goes on, another cut must ask for the old one again.
        self.id, self.secret, fresh = before, secret, self.secret
        resumed = await self._dispatch.expect(link, "gsws.resumed")
        found = resumed.get("streams")
        goes_on = resumed.get("session") == before if "session" in resumed else bool(found) or not streams
        if not goes_on:
            self.id, self.secret = session, fresh
            self.outbox.forget()
        return not goes_on

    async def _told(self, work: Awaitable[None]) -> None:
        try:
            await work
        except ClientError as error:
            if self.requests.failure is None:
                self._end(error)

    # Leaving a server that drains.

    def _may_leave(self) -> bool:
        return self.link is not None and not self.requests.sent

    def _leave(self) -> None:
        assert self.link is not None
        self._chore(self.link.close(_COME_BACK))
