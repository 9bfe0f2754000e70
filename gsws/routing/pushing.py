"""`push` and `disconnect` as handlers, plugins, ``lifespan`` functions and tests call them: spelled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gsws.types import Count

__all__ = ["Pushes", "Pushing"]


class Pushes(Protocol):
    """What does it; the runtime's."""

    @property
    def push(self) -> Callable[..., Count]: ...
    @property
    def disconnect(self) -> Callable[..., Count]: ...


class Pushing:
    """
    Whoever can push: names what does it, `_pushes`.

    Each of these acts at once, in a coroutine and in a plain function alike; what it returns may be awaited.
    """

    __slots__ = ()

    @property
    def _pushes(self) -> Pushes:
        raise NotImplementedError

    @property
    def _own_source(self) -> str | None:
        """Whose clients a push means that names no source; None if it belongs to none."""
        return None

    def push(
        self,
        eventtype: str,
        payload: Any = None,
        *,
        room: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        source: str | None = None,
    ) -> Count:
        """
        Push one frame to a room, to every connection of a subject or a label, or to one connection.

        It waits for nobody: ``await ctx.push(…)`` in a coroutine, ``ctx.push(…)`` in a plain function, do the same.

        Args:
            eventtype: The frame's name; none of the protocol's. Checked if an event declares it in ``broadcasts``.
            payload: An object; anything else is wrapped as a chunk's would be.
            room: Everybody in it who is connected.
            subject: Every connection and session of a user (``ctx.actor.subject``).
            client_id: Every connection and session with this label.
            connection: The one with this id (``ctx.inputs.metadata.connection``).
            source: The event source whose clients are meant; the event's own if it has clients, else the only one.

        Returns:
            For how many connections it was queued. A session that is away counts if it gets the frame on its resume;
            for a room it does not.

        Raises:
            ValueError: If the name is the protocol's, there is not exactly one target, or the source is not clear.
        """
        return self._pushes.push(
            eventtype,
            payload,
            room=room,
            subject=subject,
            client_id=client_id,
            connection=connection,
            source=source,
            default=self._own_source,
        )

    def disconnect(
        self,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        code: int = 4504,
        reason: str = "",
        source: str | None = None,
    ) -> Count:
        """
        Close every connection of a subject or a label, or one connection, and end their sessions, away or not.

        Args:
            code: 1000, or 3000 to 4999; 4500 and above tell a client not to come back by itself.
            reason: At most 123 bytes.
            source: One event source; all of them if left out.

        Returns:
            How many connections and sessions there were. It can be awaited, and need not be.
        """
        return self._pushes.disconnect(
            subject=subject, client_id=client_id, connection=connection, code=code, reason=reason, source=source
        )
