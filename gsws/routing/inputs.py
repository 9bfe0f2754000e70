"""
What ``ctx.inputs`` is: a CloudEvent whose parts are made when they are read.

Most handlers read the payload and the connection alone; a time in RFC 3339, the query and the actor would cost each of
their messages more than all the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from gsws.types import AttributeDict, GSCloudEvent

if TYPE_CHECKING:
    from gsws.routing.context import Invocation

__all__ = ["EventData", "inputs_of"]


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

    __slots__ = ("_data", "_invocation")
    __qualname__ = "GSCloudEvent"
    _data: AttributeDict | None
    _invocation: Invocation

    @property  # faster than what is not there yet, and all handlers that read an event read this
    def data(self) -> AttributeDict:
        if self._data is None:
            self._data = _data(self._invocation)
        return self._data

    @data.setter
    def data(self, data: AttributeDict) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there yet."""
        make = _PARTS.get(name)
        if make is None:
            raise AttributeError(f"an event has no `{name}`")
        value = make(self._invocation)
        setattr(self, name, value)
        return value

    def __reduce__(self) -> Any:
        """A copy is an ordinary event."""
        return GSCloudEvent, tuple(getattr(self, name) for name in GSCloudEvent.__dataclass_fields__)


def inputs_of(invocation: Invocation) -> GSCloudEvent:
    """Make the event of a request; nothing of it but the event itself."""
    inputs = _Inputs.__new__(_Inputs)
    inputs._invocation = invocation
    inputs._data = None
    return inputs


def _data(invocation: Invocation) -> EventData:
    data = EventData()
    data["ws"] = invocation.ws
    data["clientId"] = invocation.client_id
    data["payload"] = data["body"] = invocation.payload
    data["eventtype"] = invocation.eventtype
    if invocation.violation is not None:
        data["validation_error"] = invocation.violation
    return data


def _time(invocation: Invocation) -> str:
    return datetime.fromtimestamp(invocation.received, UTC).isoformat().replace("+00:00", "Z")


_PARTS: Final[Mapping[str, Callable[[Invocation], Any]]] = {
    "id": lambda invocation: invocation.request_id,
    "type": lambda invocation: invocation.eventtype,
    "source": lambda invocation: invocation.source,
    "time": _time,
    "channel": lambda invocation: "websocket",
    "actor": lambda invocation: invocation.actor,
    "metadata": lambda invocation: AttributeDict(invocation.metadata),
    "specversion": lambda invocation: "1.0",
}
