"""
What a handler receives: the context, and the seam to the connection behind it.

`Invocation` is implemented by the runtime for every request; nothing here knows sockets or tasks.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from gsws.routing.inputs import Inbound, inputs_of
from gsws.routing.pushing import Pushes, Pushing
from gsws.types import Count, GSActor, GSCloudEvent, JSONObject

__all__ = ["GSContext", "Invocation", "Sharing"]


class Invocation(Inbound, Protocol):
    """
    One request as the adapters and the context see it.

    ``shared`` has ``config``, ``mappings``, ``datasources`` and ``functions`` of the revision that the request began
    with.
    """

    message: JSONObject

    @property
    def shared(self) -> Any: ...
    @property
    def pushes(self) -> Pushes: ...
    @property
    def context(self) -> GSContext: ...
    @property
    def session(self) -> str | None: ...
    @property
    def logger(self) -> Any: ...
    @property
    def cancelled(self) -> bool: ...
    def emit(self, eventtype: str, payload: Any) -> Awaitable[None]: ...
    def join(self, room: str) -> Awaitable[None]: ...
    def leave(self, room: str) -> Awaitable[None]: ...
    def broadcast(self, room: str, eventtype: str, payload: Any) -> Count: ...
    def members(self, room: str) -> list[str]: ...


class Sharing(Pushing):
    """Whoever sees what all requests of a revision have in common; `_state` is that."""

    __slots__ = ()

    @property
    def _state(self) -> Any:
        raise NotImplementedError

    @property
    def config(self) -> Any:
        """``config/default.yaml`` merged with the environment's file, by key and by attribute."""
        return self._state.config

    @property
    def mappings(self) -> Any:
        """The lookup tables of ``mappings/``, by key and by attribute."""
        return self._state.mappings

    @property
    def datasources(self) -> Any:
        """The long-lived clients of ``datasources/``, by key and by attribute."""
        return self._state.datasources

    @property
    def functions(self) -> Any:
        """The project's other handlers by dotted name, as they are written: ``ctx.functions["a.b"](ctx)``."""
        return self._state.functions


class GSContext(Sharing):
    """
    The context of one request.

    Made when a handler asks for it, and alive as long as somebody holds it.
    """

    __slots__ = ("_inputs", "_invocation")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._inputs: GSCloudEvent | None = None

    @property
    def inputs(self) -> GSCloudEvent:
        """The inbound message as a CloudEvent; ``inputs.data`` has ``ws``, ``clientId``, ``payload`` and ``body``."""
        if self._inputs is None:
            self._inputs = inputs_of(self._invocation)
        return self._inputs

    @property
    def logger(self) -> Any:
        """A structlog logger bound to connection, event and request."""
        return self._invocation.logger

    @property
    def actor(self) -> GSActor:
        """Who sent the message."""
        return self._invocation.actor

    @property
    def request_id(self) -> str:
        """Unique for this message; the same in the log, in errors and in ``inputs.id``."""
        return self._invocation.request_id

    @property
    def session(self) -> str | None:
        """The session's id; None for a plain client."""
        return self._invocation.session

    @property
    def cancelled(self) -> bool:
        """Whether the request was cancelled, timed out or lost its client; for functions that run in a thread."""
        return self._invocation.cancelled

    # Each of these acts at once, in a coroutine and in a plain function alike; what it returns may be awaited.

    def emit(self, eventtype: str, payload: Any = None) -> Awaitable[None]:
        """
        Send a frame that belongs to this request: it carries the request's ``id`` and the next ``seq``.

        Awaited, it waits while the connection's send buffer is over its high-water mark; in a plain function, which
        runs in a thread, it does so by itself. After the request has ended or was cancelled nothing is sent.

        Args:
            eventtype: Any name; ``stream.*`` frames go through the stream's states.
            payload: An object; anything else is wrapped as a chunk's would be.
        """
        return self._invocation.emit(eventtype, payload)

    def join(self, room: str) -> Awaitable[None]:
        """Make this connection a member of a room."""
        return self._invocation.join(room)

    def leave(self, room: str) -> Awaitable[None]:
        """End this connection's membership."""
        return self._invocation.leave(room)

    def broadcast(self, room: str, eventtype: str, payload: Any) -> Count:
        """Send one frame to all members of a room, encoded once; returns how many there are."""
        return self._invocation.broadcast(room, eventtype, payload)

    def members(self, room: str) -> list[str]:
        """The labels (``clientId``) of a room's members on this process."""
        return self._invocation.members(room)

    @property
    def _state(self) -> Any:
        return self._invocation.shared

    @property
    def _pushes(self) -> Pushes:
        return self._invocation.pushes

    @property
    def _own_source(self) -> str | None:
        return self._invocation.source
