"""What a program holds: `connect` and the `Client` that it gives."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import EllipsisType
from typing import Any, Self
from urllib.parse import urlsplit

from gsws.client.credentials import Credentials, TokenSource
from gsws.client.errors import AnswerTimeout
from gsws.client.flow import Pushes
from gsws.client.link import Options
from gsws.client.pending import Followed, Pending, Share
from gsws.client.policy import Backoff
from gsws.client.session import Session
from gsws.client.stream import Stream
from gsws.defaults import HEARTBEAT
from gsws.protocol.codec import encode
from gsws.text.urls import without_secrets

__all__ = ["Client", "connect"]

_MAX_ID = 64


def connect(
    url: str,
    *,
    client_id: str | None = None,
    token: TokenSource | None = None,
    headers: Mapping[str, str] | None = None,
    resume: bool = True,
    timeout: float | None = 60.0,
    backoff: Backoff | None = None,
    tls: ssl.SSLContext | None = None,
    open_timeout: float = 10.0,
    heartbeat: float = HEARTBEAT,
    buffer: int = 2**20,
    max_bytes: int = 2**25,
    compact: bool = False,
    on_session: Callable[[Client], Awaitable[None]] | None = None,
    on_frame: Callable[[object], None] | None = None,
) -> Client:
    """
    Make a client; it connects when it is entered.

    Args:
        url: ``ws://`` or ``wss://``, path included if the source names one.
        client_id: Label of the connection (``?clientId=``).
        token: Bearer token, or a function, async or not, that gives a fresh one; then it is renewed in time.
        headers: Further headers of the handshake, e.g. ``{"X-API-Key": …}``.
        resume: Whether to keep a session and go on after a cut. Without it there is one plain connection.
        timeout: Default deadline in seconds, of a call and between two frames of a stream; None for none.
        backoff: How long to wait before connecting again.
        tls: For ``wss://``; None for the system's trust.
        open_timeout: Seconds for one connection to be made.
        heartbeat: Seconds between pings, and until a missed answer ends the connection.
        buffer: Bytes that wait for their consumers before the client stops reading.
        max_bytes: Size of the largest frame that is taken.
        compact: Whether text that was missed in a cut comes as one chunk, and not in the pieces that it was made in.
        on_session: Awaited at the beginning of each new session: the first, and each that could not be resumed.
        on_frame: Told of every message as it arrives, decoded; for logs.

    Raises:
        TypeError: If an option is of another type; the message names the option and never shows its value.
    """
    _check("url", url, str)
    _check("client_id", client_id, str, or_none=True)
    if not callable(token):
        _check("token", token, str, or_none=True)
    _check("headers", headers, Mapping, or_none=True)
    for name, value in (headers or {}).items():
        _check("headers", name, str)
        _check("headers", value, str)
    for option, switch in (("resume", resume), ("compact", compact)):
        _check(option, switch, bool)
    _check("timeout", timeout, float, or_none=True)
    _check("backoff", backoff, Backoff, or_none=True)
    _check("tls", tls, ssl.SSLContext, or_none=True)
    for option, seconds in (("open_timeout", open_timeout), ("heartbeat", heartbeat)):
        _check(option, seconds, float)
    for option, size in (("buffer", buffer), ("max_bytes", max_bytes)):
        _check(option, size, int)
    for option, hook in (("on_session", on_session), ("on_frame", on_frame)):
        if hook is not None and not callable(hook):
            raise TypeError(f"`{option}` takes a function, not `{type(hook).__name__}`")
    options = Options(
        url=url,
        client_id=client_id,
        resume=resume,
        headers=dict(headers or {}),
        tls=tls,
        open_timeout=open_timeout,
        heartbeat=heartbeat,
        max_bytes=max_bytes,
        backoff=backoff or Backoff(),
        buffer=buffer,
        on_frame=on_frame,
        compact=compact,
    )
    return Client(options, Credentials(token), timeout, on_session)


class Client:
    """
    A client of one server; it belongs to one event loop, and to one thread.

    Entering it connects and leaving it closes it; between, cuts are repaired without anybody noticing.
    """

    def __init__(
        self,
        options: Options,
        credentials: Credentials,
        timeout: float | None,
        on_session: Callable[[Client], Awaitable[None]] | None,
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._timeout = timeout
        self._on_session = on_session
        self._state: Session | None = None

    @property
    def url(self) -> str:
        """Where it connects to."""
        return self._options.url

    @property
    def session(self) -> str | None:
        """The session's id on the server; None in the plain profile."""
        return self._session.id

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now; requests may be made without one, and wait for it."""
        return self._session.link is not None

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._session.connections

    async def __aenter__(self) -> Self:
        """
        Connect.

        Raises:
            ConnectFailed: If that does not succeed; the first connection is tried once.
        """
        if self._state is not None:
            raise RuntimeError("a client is entered once; make another one")
        if urlsplit(self.url).scheme not in ("ws", "wss"):
            raise ValueError(f"`{without_secrets(self.url)}` is no WebSocket URL; for example `ws://127.0.0.1:8000`")
        self._state = Session(self._options, self._credentials, self._told if self._on_session else None)
        await self._state.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; what still runs fails with `ClientClosed`, and the server cancels it."""
        if self._state is not None:
            await self._state.close()

    async def call(
        self,
        event: str,
        payload: Any = None,
        *,
        timeout: float | EllipsisType | None = ...,
        idempotency_key: str | None = None,
        idempotent: bool = False,
        id: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Send a request and wait for its answer.

        Args:
            event: Key of the event, e.g. ``websocket.greet``.
            payload: Any JSON value.
            timeout: Seconds for the whole answer; the client's `timeout` if left out, None for no deadline.
            idempotency_key: Makes the server answer a repeated request like the first (protocol P5.4).
            idempotent: Whether it may run twice, so that it is sent again if a cut leaves open whether it arrived.
                A request with a key may.
            id: The request's id; one is made if left out.
            meta: Further facts about the message, e.g. ``{"traceparent": …}``.

        Returns:
            The reply's ``data``; of a stream its text.

        Raises:
            RemoteError: If the answer is an error.
            AnswerTimeout: If it does not come in time; the request is cancelled.
            ResumeLost: If it was lost in a cut.
            ConnectionLost: If there is no connection any more, and will be none.
            Unserialisable: If the payload has no JSON form.
        """
        seconds = self._timeout if timeout is ... else timeout
        answer = self.stream(
            event, payload, timeout=None, idempotency_key=idempotency_key, idempotent=idempotent, id=id, meta=meta
        )
        try:
            async with asyncio.timeout(seconds) as deadline, answer:
                text = await answer.text()
        except TimeoutError:
            if deadline.expired():
                raise AnswerTimeout(event, seconds or 0.0) from None
            raise
        assert answer.result is not None
        return text if answer.reason is not None else answer.result.get("data")

    def stream(
        self,
        event: str,
        payload: Any = None,
        *,
        timeout: float | EllipsisType | None = ...,
        idempotency_key: str | None = None,
        idempotent: bool = False,
        id: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Stream:
        """
        Make a request whose answer is read as it streams; it is sent when it is entered or iterated.

        Args:
            event: Key of the event.
            payload: Any JSON value.
            timeout: Seconds to wait for each frame; the client's `timeout` if left out, None for no deadline.
            idempotency_key: As in `call`; a repeated stream gets no chunks again and fails with `ResumeLost`.
            idempotent: As in `call`.
            id: The request's id; one is made if left out.
            meta: Further facts about the message.

        Raises:
            Unserialisable: If the payload has no JSON form.
            ValueError: If the id cannot be one.
        """
        if id is not None:
            _check_id(id)
        facts = dict(meta or {})
        if idempotency_key is not None:
            facts["idempotency_key"] = idempotency_key
        body: dict[str, object] = {"eventtype": event, "payload": payload}
        if facts:
            body["meta"] = facts
        encode(body)  # what cannot be sent is the caller's mistake, told where it was made
        session = self._session
        is_idempotent = idempotent or idempotency_key is not None
        pending = Pending(id or session.requests.new_id(), body, session.flow, is_idempotent=is_idempotent)
        return Stream(session.requests, pending, self._timeout if timeout is ... else timeout)

    def share(self) -> Share:
        """
        What another client of the same subject needs to `follow` streams of this session.

        Raises:
            RuntimeError: In the plain profile, which has no sessions.
        """
        session = self._session
        if session.id is None:
            raise RuntimeError("there is no session to share: the server, or `resume=False`, has the plain profile")
        return Share(session.id, session.secret)

    def follow(
        self,
        share: Share,
        id: str,
        *,
        after: int = -1,
        timeout: float | EllipsisType | None = ...,
        compact: bool = True,
    ) -> Stream:
        """
        Read a stream of another session beside its own client; leaving the block stops following, and nothing else.

        Args:
            share: Of the session's own client, see `share`.
            id: The stream's id there (`Stream.id`).
            after: Number of the last frame that is known already, or -1.
            timeout: Seconds to wait for each frame, as in `stream`.
            compact: Whether text that was there before comes as one chunk; without it, what the other client
                acknowledged before cannot be had.

        Raises:
            RuntimeError: In the plain profile.
        """
        _check_id(id)
        session = self._session
        if session.id is None:
            raise RuntimeError("streams are followed in the session profile only")
        followed = Followed(id, share, after, session.flow, compact=compact)
        return Stream(session.requests, followed, self._timeout if timeout is ... else timeout)

    def pushes(self) -> Pushes:
        """
        Collect, from now on, what the server sends without being asked: broadcasts and other frames without an id.

        Each call gives another iterator with a queue of its own.
        """
        return self._session.subscribers.add()

    async def authenticate(self, token: str) -> None:
        """Renew the connection's credential in band (protocol P4.3), and use this token from now on."""
        self._credentials.replace(token)
        self._session.outbox.say("gsws.auth", {"token": token})

    @property
    def _session(self) -> Session:
        if self._state is None:
            raise RuntimeError("the client is not connected: use it in `async with`")
        return self._state

    async def _told(self) -> None:
        assert self._on_session is not None
        await self._on_session(self)


def _check(option: str, value: object, kind: type, *, or_none: bool = False) -> None:
    """Make sure of the type of an option; whole numbers are numbers, and what is true or false is none."""
    if value is None and or_none:
        return
    is_number = kind in (int, float)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (is_number and isinstance(value, bool)):
        names = {float: "a number", int: "a whole number", str: "a text", Mapping: "texts by name", bool: "a bool"}
        raise TypeError(f"`{option}` takes {names.get(kind, f'a `{kind.__name__}`')}, not `{type(value).__name__}`")


def _check_id(id: str) -> None:
    """Refuse an id that cannot be sent: the server could answer, but not to it."""
    if not isinstance(id, str) or not 1 <= len(id) <= _MAX_ID or any("\ud800" <= one <= "\udfff" for one in id):
        raise ValueError(f"an id is a text of 1 to {_MAX_ID} characters, none of them half a surrogate pair")
