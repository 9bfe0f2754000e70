"""
Requests without a connection: what an event source other than WebSocket hands in through the plugin contract.

The same checks, order-free execution and contract as for a socket; the frames of the answer are collected, because
there is nobody to stream to, and what a handler sends besides reaches nobody.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gsws.plugins.contract import EventHandle
from gsws.protocol.answer import Answer
from gsws.protocol.errors import ERRORS
from gsws.runtime.dispatch.admission import Refusal, Throttle, refusal_of, violation_of
from gsws.runtime.dispatch.router import Router
from gsws.runtime.requests.request import Request
from gsws.runtime.requests.scheduler import Scheduler
from gsws.runtime.sessions.client import Client
from gsws.runtime.sources.drain import end_requests, finish_requests
from gsws.runtime.sources.source import Source
from gsws.runtime.transport import Receiver
from gsws.types import GSActor, GSStatus

__all__ = ["drain_detached", "make_handle"]

_LAST_WAIT: Final = 0.9
"""Seconds that cancelled tasks get to end at shutdown."""


def make_handle(source: Source, key: str) -> EventHandle:
    """Make what a source calls with each thing that happened; the route is found at call time."""
    throttle = Throttle()

    async def handle(
        payload: Any,
        *,
        client_id: str | None = None,
        actor: GSActor | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> GSStatus:
        router, sink = source.router, _Sink()
        client = _Caller(source.registry, source.executor, sink, actor)
        client.label = client_id or source.name
        route = router.routes.get(key)
        if route is None:
            return _refused(router, client, Refusal("unknown_event", f"Unknown or unconfigured event type: {key}", key))
        if router.is_guarded and (refusal := refusal_of(router, route, client.actor, lambda: throttle)) is not None:
            return _refused(router, client, refusal)
        message = {"eventtype": key, "payload": payload}
        request = Request(client, route, Answer("detached"), message, dict(metadata or {}))
        if route.check is not None and not route.check(message if route.whole else payload):
            errors = violation_of(request)
            if errors is not None:
                refusal = Refusal("schema_violation", "Request validation failed", key, details={"errors": errors})
                return _refused(router, client, refusal)
        client.scheduler = Scheduler(source.executor, client)
        try:
            await client.scheduler.run_detached(request)
        finally:
            client.left(sink, 1000, "")  # it leaves the rooms that its handler joined
        return _status_of(client.frames)

    return handle


async def drain_detached(source: Source, seconds: float, hurry: asyncio.Event) -> None:
    """
    Let what a source without a port has handed in finish, then end it as ``draining``, as a port does with its own.

    Args:
        source: Takes nothing new from now on.
        seconds: How long that may take.
        hurry: Ends the wait.
    """
    source.router.drain()
    await finish_requests(source.router, seconds, hurry)
    unfinished = end_requests(source.router)
    if unfinished:
        await asyncio.wait(unfinished, timeout=_LAST_WAIT)


def _refused(router: Router, client: Client, refusal: Refusal) -> GSStatus:
    router.refused(client, refusal.event, refusal.name, refusal.limit)
    return GSStatus(False, ERRORS[refusal.name].code, refusal.message, refusal.details or None)


class _Caller(Client):
    """Whoever called a handle: keeps the frames of the answer."""

    __slots__ = ("frames",)

    def __init__(self, *shared: Any) -> None:
        super().__init__(*shared)
        self.frames: list[bytes] = []

    def transmit(self, answer: Answer, data: bytes) -> None:
        self.frames.append(data)


class _Sink:
    """A `Connection` without a peer: there is nobody to read what is sent."""

    host = authority = path = query = ""
    port = buffered = backlog_beyond_replay = 0
    origin: str | None = None
    subprotocol: str | None = None
    is_open = was_heard = True
    paused = closed_by_peer = False
    close_code: int | None = None
    close_reason: str | None = None

    def __init__(self) -> None:
        self.id = f"detached-{uuid.uuid4()}"

    def unread(self, data: bytes) -> None:
        """Nobody reads what is no frame of the answer."""

    send_text = send_binary = unread

    def send_prepared(self, frame: bytes) -> None:
        """The same."""

    def push(self, frame: bytes) -> bool:
        return True

    def keeps_up(self, most: int) -> bool:
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.is_open = False
        self.close_code, self.close_reason = code, reason

    async def drain(self) -> None:
        return

    def nothing(self) -> None:
        """Nothing arrives, so nothing is held back or looked for."""

    mark_replay = hold = release = probe = nothing

    def entrust(self, receiver: Receiver) -> None:
        """Nothing arrives."""


def _status_of(frames: Iterable[bytes]) -> GSStatus:
    """The terminal frame as a status; a stream's text is its data."""
    text = []
    for data in frames:
        message = msgspec.json.decode(data)
        payload = message["payload"]
        match message["eventtype"]:
            case "stream.chunk":
                text.append(payload["message"])
            case "reply":
                return GSStatus(True, payload.get("code"), payload.get("message"), payload.get("data"))
            case "stream.error":
                return GSStatus(False, payload.get("code"), payload.get("message"), payload.get("data"))
            case "stream.end":
                reason = payload.get("reason")
                return GSStatus(reason == "complete", None, None, {**payload, "message": "".join(text)})
    return GSStatus(False, 500, "the handler sent no answer")
