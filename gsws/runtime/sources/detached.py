"""
Requests without a connection: what an event source other than WebSocket hands in through the plugin contract.

The same checks, order-free execution and contract as for a socket; frames that a handler sends are collected, because
there is nobody to stream to.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from gsws.plugins.contract import EventHandle
from gsws.protocol.answer import Answer
from gsws.runtime.requests.request import Request
from gsws.runtime.requests.scheduler import Scheduler
from gsws.runtime.sessions.client import Client
from gsws.runtime.sources.source import Source
from gsws.types import GSActor, GSStatus

__all__ = ["make_handle"]


def make_handle(source: Source, key: str) -> EventHandle:
    """Make what a source calls with each thing that happened; the route is found at call time."""

    async def handle(
        payload: Any,
        *,
        client_id: str | None = None,
        actor: GSActor | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> GSStatus:
        route = source.router.routes.get(key)
        if route is None:
            return GSStatus(False, 404, f"Unknown or unconfigured event type: {key}")
        if source.router.is_draining:
            return GSStatus(False, 503, "the server is shutting down")
        sink = _Sink()
        client = Client(source.registry, source.executor, sink, actor)  # type: ignore[arg-type]  # what requests use of it
        client.label = client_id or source.name
        message = {"eventtype": key, "payload": payload}
        request = Request(client, route, Answer("detached"), message, dict(metadata or {}))
        if route.check is not None and not route.check(message if route.whole else payload):
            errors = route.explain(message if route.whole else payload) if route.explain is not None else []
            return GSStatus(False, 400, "Request validation failed", {"errors": errors})
        client.scheduler = Scheduler(source.executor, client)
        try:
            await client.scheduler.run_detached(request)
        finally:
            client.left(sink, 1000, "")  # type: ignore[arg-type]  # it leaves the rooms that its handler joined
        return sink.status()

    return handle


class _Sink:
    """Stands where a connection would: keeps the frames of one request."""

    query = ""
    path = ""
    host = ""
    subprotocol = None
    paused = False
    is_open = True
    buffered = 0
    close_code: int | None = None
    close_reason: str | None = None

    def __init__(self) -> None:
        self.id = f"detached-{uuid.uuid4()}"
        self.frames: list[bytes] = []

    def send_text(self, data: bytes) -> None:
        self.frames.append(data)

    def send_binary(self, data: bytes) -> None:
        self.frames.append(data)

    def push(self, frame: bytes) -> bool:
        """A room's frame: there is nobody to read it."""
        return True

    def keeps_up(self, most: int) -> bool:
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.is_open = False
        self.close_code, self.close_reason = code, reason

    async def drain(self) -> None:
        return

    def status(self) -> GSStatus:
        """The terminal frame as a status; a stream's text is its data."""
        text = []
        for data in self.frames:
            message = msgspec.json.decode(data)
            payload = message.get("payload", {})
            match message.get("eventtype"):
                case "stream.chunk":
                    text.append(payload.get("message", ""))
                case "reply":
                    return GSStatus(True, payload.get("code"), payload.get("message"), payload.get("data"))
                case "stream.error":
                    return GSStatus(False, payload.get("code"), payload.get("message"), payload.get("data"))
                case "stream.end":
                    reason = payload.get("reason")
                    return GSStatus(reason == "complete", None, None, {**payload, "message": "".join(text)})
        return GSStatus(False, 500, "the handler sent no answer")
