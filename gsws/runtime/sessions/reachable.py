"""
Who is connected, by subject, by label and by connection: for pushes and closes that are meant for somebody.

Made when it is first asked for, so that a service that pushes to rooms alone, or to nobody, keeps no such books.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from gsws.types import GSActor

__all__ = ["Reachable", "Reached"]

_Keys: TypeAlias = tuple[str | None, str, str]


class Reached(Protocol):
    """A client, or a session that is away."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def actor(self) -> GSActor: ...
    def offer(self, prepared: bytes) -> bool:
        """Push a whole WebSocket frame, or keep it for who comes back; False if neither."""

    def dismiss(self, code: int, reason: str) -> None:
        """Close, and end what would wait for it to come back."""


class Reachable:
    """
    The clients of one event source, sessions that are away among them.

    Args:
        clients: Those there are now.
        is_proven: Whether only a credential makes a subject; without ``authn`` a label does (protocol P4.2).
    """

    __slots__ = ("_connections", "_is_proven", "_keys", "_labels", "_subjects")

    def __init__(self, clients: Iterable[Reached], *, is_proven: bool) -> None:
        self._is_proven = is_proven
        self._keys: dict[Reached, _Keys] = {}
        self._subjects: dict[str, dict[Reached, None]] = {}
        self._labels: dict[str, dict[Reached, None]] = {}
        self._connections: dict[str, Reached] = {}
        for client in clients:
            self.add(client)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, client: Reached) -> None:
        """Take in a client, or what has changed of one: a session has another connection."""
        self.discard(client)
        actor = client.actor
        subject = actor.subject if actor.authenticated or not self._is_proven else None
        self._keys[client] = subject, client.label, client.id
        if subject is not None:
            self._subjects.setdefault(subject, {})[client] = None
        self._labels.setdefault(client.label, {})[client] = None
        self._connections[client.id] = client

    def discard(self, client: Reached) -> None:
        """Forget a client that is gone for good; one that is not there does nothing."""
        keys = self._keys.pop(client, None)
        if keys is None:
            return
        subject, label, connection = keys
        if subject is not None:
            _remove(self._subjects, subject, client)
        _remove(self._labels, label, client)
        if self._connections.get(connection) is client:
            del self._connections[connection]

    def find(
        self, *, subject: str | None = None, client_id: str | None = None, connection: str | None = None
    ) -> tuple[Reached, ...]:
        """The clients of a subject, of a label or of one connection, in the order they came."""
        if subject is not None:
            return tuple(self._subjects.get(subject, ()))
        if client_id is not None:
            return tuple(self._labels.get(client_id, ()))
        found = self._connections.get(connection or "")
        return () if found is None else (found,)


def _remove(index: dict[str, dict[Reached, None]], key: str, client: Reached) -> None:
    clients = index.get(key)
    if clients is not None:
        clients.pop(client, None)
        if not clients:
            del index[key]
