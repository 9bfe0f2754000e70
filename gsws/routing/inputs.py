"""
What ``ctx.inputs`` is: a CloudEvent whose parts are made when they are read.

Most handlers read the payload and the connection alone; a time in RFC 3339, the query and the actor would cost each of
their messages more than all the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final, Protocol

from gsws.types import AttributeDict, GSActor, GSCloudEvent, JSONObject

__all__ = ["EventData", "Inbound", "inputs_of"]


class Inbound(Protocol):
    """One message as its event tells of it; ``ws`` is the connection as handlers see it."""

    payload: Any
    violation: list[dict[str, Any]] | None
    received: float

    @property
    def ws(self) -> Any: ...
    @property
    def request_id(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def actor(self) -> GSActor: ...
    @property
    def eventtype(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def metadata(self) -> JSONObject: ...


class EventData(AttributeDict):
    """``inputs.data``: an `AttributeDict` whose usual keys are found faster as attributes."""

    __slots__ = ()

    ws = property(itemgetter("ws"))
    clientId = property(itemgetter("clientId"))  # noqa: N815  # the name that users know
    payload = property(itemgetter("payload"))
    body = property(itemgetter("body"))
    eventtype = property(itemgetter("eventtype"))


class _Inputs(GSCloudEvent):
    """An event that knows where its parts come from; what is read or assigned stays."""

    __slots__ = ("_data", "_inbound")
    __qualname__ = "GSCloudEvent"
    _data: AttributeDict | None
    _inbound: Inbound

    @property  # faster than what is not there yet, and all handlers that read an event read this
    def data(self) -> AttributeDict:
        if self._data is None:
            self._data = _data(self._inbound)
        return self._data

    @data.setter
    def data(self, data: AttributeDict) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there yet."""
        make = _PARTS.get(name)
        if make is None:
            raise AttributeError(f"an event has no `{name}`")
        value = make(self._inbound)
        setattr(self, name, value)
        return value

    def __reduce__(self) -> Any:
        """A copy is an ordinary event."""
        return GSCloudEvent, tuple(getattr(self, name) for name in GSCloudEvent.__dataclass_fields__)


def inputs_of(inbound: Inbound) -> GSCloudEvent:
    """Make the event of a request; nothing of it but the event itself."""
    inputs = _Inputs.__new__(_Inputs)
    inputs._inbound = inbound
    inputs._data = None
    return inputs


def _data(inbound: Inbound) -> EventData:
    data = EventData()
    data["ws"] = inbound.ws
    data["clientId"] = inbound.client_id
    data["payload"] = data["body"] = inbound.payload
    data["eventtype"] = inbound.eventtype
    if inbound.violation is not None:
        data["validation_error"] = inbound.violation
    return data


def _time(inbound: Inbound) -> str:
    return datetime.fromtimestamp(inbound.received, UTC).isoformat().replace("+00:00", "Z")


_PARTS: Final[Mapping[str, Callable[[Inbound], Any]]] = {
    "id": lambda inbound: inbound.request_id,
    "type": lambda inbound: inbound.eventtype,
    "source": lambda inbound: inbound.source,
    "time": _time,
    "channel": lambda inbound: "websocket",
    "actor": lambda inbound: inbound.actor,
    "metadata": lambda inbound: AttributeDict(inbound.metadata),
    "specversion": lambda inbound: "1.0",
}
