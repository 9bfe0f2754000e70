"""A source with ``strict: true`` and its events."""

from __future__ import annotations


def test_a_strict_source_closes_its_events_only(tree):
    files = {
        "eventsources/websocket.yaml": "type: websocket\nstrict: true\n",
        "eventsources/open.yaml": "type: websocket\nport: 8001\n",
        "definitions/d.yaml": "Name: {type: object, properties: {first: {type: string}}}\n",
        "events/chat.yaml": """
"websocket & open.chat":
  fn: chat
  payload: {type: object, properties: {name: {$ref: "#/definitions/d/Name"}}}
"websocket.default": {fn: chat}
""",
    }
    project = tree.load(files)
    strict, open_, default = project.events

    assert project.findings == ()
    assert strict.inbound.check({"name": {"first": "x"}})
    assert not strict.inbound.check({"name": {"first": "x"}, "more": 1})
    assert not strict.inbound.check({"name": {"first": "x", "more": 1}})
    assert open_.inbound.check({"name": {"first": "x", "more": 1}, "more": 1})
    assert default.inbound.check({"eventtype": "websocket.default", "payload": {"message": "x"}})
    assert not default.inbound.check({"eventtype": "websocket.default", "payload": {"message": "x"}, "more": 1})


def test_a_strict_source_takes_messages_of_extended_definitions(tree):
    files = {
        "eventsources/websocket.yaml": "type: websocket\nstrict: true\n",
        "definitions/d.yaml": "Base: {type: object, properties: {id: {type: string}}}\n"
        "More: {allOf: [{$ref: '#/Base'}, {properties: {n: {type: integer}}}]}\n",
        "events/chat.yaml": "\"websocket.chat\":\n  fn: chat\n  payload: {$ref: '#/definitions/d/More'}\n",
    }
    project = tree.load(files)
    (event,) = project.events

    assert project.findings == ()
    assert event.inbound.check({"id": "x", "n": 1})
    assert not event.inbound.check({"id": "x", "m": 1})
    assert [error.message for error in event.inbound.explain({"id": "x", "m": 1})] == ['unexpected key "m"']
