"""
Types that handlers and every floor share: JSON, statuses, actors and events.

Nothing here knows YAML, sockets or asyncio.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = [
    "AttributeDict",
    "Count",
    "FrozenDict",
    "FrozenList",
    "GSActor",
    "GSCloudEvent",
    "GSStatus",
    "JSONObject",
    "JSONValue",
    "RequestId",
    "frozen",
    "is_protocol_name",
]

JSONValue: TypeAlias = Any
"""What a JSON text decodes to: ``None | bool | int | float | str | list | dict``."""

JSONObject: TypeAlias = dict[str, Any]

RequestId: TypeAlias = str | int
"""The ``id`` of an envelope, chosen by the client (protocol P2.2)."""


_RESERVED: Final = frozenset({"reply", "stream.start", "stream.chunk", "stream.end", "stream.error", "stream.snapshot"})


def is_protocol_name(eventtype: str) -> bool:
    """Whether a name belongs to the protocol (P2.5): frames of answers, and all that begins with ``gsws.``."""
    return eventtype in _RESERVED or eventtype.startswith("gsws.")


class Count(int):
    """A number that may be awaited, so that one call serves coroutines and plain functions in threads alike."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, int]:
        yield from ()
        return int(self)

    # As a coroutine that has nothing to wait for, so that `asyncio.create_task` takes it too.

    def send(self, value: Any) -> Any:
        del value
        raise StopIteration(int(self))

    def throw(self, *error: Any) -> Any:
        raise error[-1] if isinstance(error[-1], BaseException) else error[0]

    def close(self) -> None:
        """There is nothing to end."""


Coroutine.register(Count)


class AttributeDict(dict[str, Any]):
    """
    A dict whose keys are also readable as attributes: ``data.payload`` is ``data["payload"]``.

    A key that is also a method of ``dict`` (``items``, ``get``) is reached by key only.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no `{name}` here; there is {', '.join(self) or 'nothing'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None


def _refuse(self: Any, *_: Any, **__: Any) -> Any:
    """Stands for everything that would change what others share."""
    raise TypeError("this is shared by all requests and cannot be changed; change a copy, as `copy.deepcopy` makes one")


class FrozenDict(AttributeDict):
    """An `AttributeDict` that all requests share, and that nobody can change; its copies are ordinary ones."""

    __slots__ = ()
    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def copy(self) -> AttributeDict:
        return AttributeDict(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> AttributeDict:
        return AttributeDict((key, deepcopy(value, memo)) for key, value in self.items())

    def __reduce__(self) -> Any:
        return AttributeDict, (dict(self),)


class FrozenList(list[Any]):
    """A list likewise."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def copy(self) -> list[Any]:
        return [*self]

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [deepcopy(value, memo) for value in self]

    def __reduce__(self) -> Any:
        return list, ([*self],)


def frozen(value: Any) -> Any:
    """Copy plain data so that nobody can change it and every mapping is readable by attribute."""
    if isinstance(value, Mapping):
        return FrozenDict((key, frozen(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return FrozenList(frozen(item) for item in value)
    return value


@dataclass(slots=True)
class GSStatus:
    """
    What a handler answers: success or failure, a code and data.

    Args:
        success: Whether the request was fulfilled.
        code: HTTP-like number; 200 for success and 500 for failure when left out.
        message: One sentence for the client.
        data: Any JSON value.
        headers: Accepted for handlers written for other sources; not sent over WebSocket.
    """

    success: bool = True
    code: int | None = None
    message: str | None = None
    data: Any = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.code is None:
            self.code = 200 if self.success else 500


@dataclass(frozen=True, slots=True)
class GSActor:
    """
    Who sends: ``subject`` keys everything that is private to a user.

    Attributes:
        subject: What the credential says, or the connection's label without authentication.
        scopes: What the subject may do.
        authenticated: Whether a credential was checked.
        claims: The token's other claims; read-only.
    """

    subject: str
    scopes: frozenset[str] = frozenset()
    authenticated: bool = False
    claims: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # All requests of a connection have this one.
        object.__setattr__(self, "claims", frozen(self.claims))

    @property
    def key(self) -> str:
        """
        What is private to this actor is kept under it: threads, budgets, rates.

        Without a credential the subject is a label that the client chose. It is marked, so that a client that may
        stay anonymous does not reach what belongs to the subject of that name; no two actors share a key.
        """
        if not self.authenticated:
            return f"anonymous:{self.subject}"
        return f"subject:{self.subject}" if self.subject.startswith(("anonymous:", "subject:")) else self.subject


@dataclass(slots=True)
class GSCloudEvent:
    """
    One inbound message as a CloudEvent: what ``ctx.inputs`` is.

    Attributes:
        id: Unique for this message; made by the server.
        type: The event key, e.g. ``websocket.stream``.
        source: The event source's name.
        time: When the message was read; RFC 3339, UTC.
        data: ``{"ws": ..., "clientId": str, "payload": Any, "body": Any}``, by key and by attribute.
        channel: How the message travelled: ``websocket``.
        actor: Who sent it.
        metadata: The envelope's ``meta`` and the transport's facts.
        specversion: CloudEvents version.
    """

    id: str
    type: str
    source: str
    time: str
    data: AttributeDict
    channel: str
    actor: GSActor
    metadata: JSONObject
    specversion: str = "1.0"
