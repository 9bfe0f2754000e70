"""`ctx.inputs`: nothing of it is made before it is read, and then it is an event like any other."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import datetime

import pytest

from gsws.routing.context import GSContext
from gsws.types import AttributeDict, GSActor, GSCloudEvent

FACTS = {
    "request_id": "c-1",
    "eventtype": "websocket.chat",
    "source": "websocket",
    "actor": GSActor("ann"),
    "metadata": {"query": {"a": "1"}},
    "client_id": "ann",
    "ws": "the socket",
}


class Asked:
    """An invocation that notes what it is asked for."""

    payload = {"text": "hi"}  # noqa: RUF012
    violation = None
    received = 1_700_000_000.25

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        if name not in FACTS:
            raise AttributeError(name)
        self.asked.append(name)
        return FACTS[name]


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def inputs(asked):
    return GSContext(asked).inputs


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("id", ["request_id"]), ("type", ["eventtype"]), ("source", ["source"]), ("time", []), ("channel", []),
        ("actor", ["actor"]), ("metadata", ["metadata"]), ("specversion", []),
        ("data", ["ws", "client_id", "eventtype"]),
    ],
)  # fmt: skip
def test_each_part_is_made_when_it_is_read_and_once(asked, inputs, name, wanted):
    """A handler that reads the payload pays for no time, query or actor."""
    assert asked.asked == []
    first = getattr(inputs, name)
    assert asked.asked == wanted
    assert getattr(inputs, name) is first
    assert asked.asked == wanted


def test_it_says_all_that_an_event_says(inputs):
    """Every field of the class, of its type."""
    assert isinstance(inputs, GSCloudEvent)
    assert dataclasses.asdict(inputs) == {
        "id": "c-1",
        "type": "websocket.chat",
        "source": "websocket",
        "time": "2023-11-14T22:13:20.250000Z",
        "data": {
            "ws": "the socket",
            "clientId": "ann",
            "payload": {"text": "hi"},
            "body": {"text": "hi"},
            "eventtype": "websocket.chat",
        },
        "channel": "websocket",
        "actor": dataclasses.asdict(GSActor("ann")),
        "metadata": {"query": {"a": "1"}},
        "specversion": "1.0",
    }
    assert datetime.fromisoformat(inputs.time).timestamp() == Asked.received
    assert repr(inputs).startswith("GSCloudEvent(id='c-1', type='websocket.chat'")


def test_what_is_assigned_stays(asked, inputs):
    """Before it was read, and after."""
    inputs.id = "mine"
    inputs.data = AttributeDict(payload=1)
    assert (inputs.id, inputs.data.payload) == ("mine", 1)
    assert asked.asked == []
    inputs.data["more"] = 2
    inputs.data.payload = 3
    assert inputs.data == {"payload": 3, "more": 2}
    with pytest.raises(AttributeError, match="an event has no `nothing`"):
        _ = inputs.nothing


def test_copies_are_ordinary_events(inputs):
    """They hold no request."""
    for made in (copy.copy(inputs), copy.deepcopy(inputs), pickle.loads(pickle.dumps(inputs))):
        assert type(made) is GSCloudEvent
        assert dataclasses.astuple(made) == dataclasses.astuple(inputs)
    assert dataclasses.replace(inputs, id="other").id == "other"


@pytest.mark.parametrize("name", ["ws", "clientId", "payload", "body", "eventtype"])
def test_data_is_read_and_changed_by_key_and_by_attribute(inputs, name):
    data = inputs.data
    assert getattr(data, name) is data[name]
    setattr(data, name, "new")
    assert data[name] == getattr(data, name) == "new"
    assert set(data) == {"ws", "clientId", "payload", "body", "eventtype"}


def test_a_violation_is_part_of_the_data(asked):
    asked.violation = [{"pointer": "/x"}]
    assert GSContext(asked).inputs.data.validation_error == [{"pointer": "/x"}]
