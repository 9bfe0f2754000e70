"""Schemas closed by a strict source."""

from __future__ import annotations

import jsonschema_rs
import pytest

from gsws.project.strict import closed


@pytest.mark.parametrize(
    ("schema", "fits", "refused"),
    [
        ({"type": "object", "properties": {"a": {}}}, {"a": 1}, {"a": 1, "b": 2}),
        ({"properties": {"a": {"properties": {"b": {}}}}}, {"a": {"b": 1}}, {"a": {"c": 1}}),
        ({"items": {"properties": {"a": {}}}}, [{"a": 1}], [{"b": 1}]),
        ({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}, {"a": 1, "b": 2}, {"c": 1}),
        ({"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"type": "string"}]}, {"a": 1}, {"a": 1, "b": 1}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {}}}}}, {"a": 1}, {"b": 1}),
    ],
)
def test_unknown_keys_are_refused(schema, fits, refused):
    validator = jsonschema_rs.validator_for(closed(schema))

    assert jsonschema_rs.validator_for(schema).is_valid(refused)
    assert validator.is_valid(fits)
    assert not validator.is_valid(refused)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {}}, "additionalProperties": True},
        {"properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        {"type": "object"},
        {"const": {"properties": {"a": 1}}},
        {"enum": [{"properties": {}}]},
        {"not": {"properties": {"a": {"const": 1}}}},
        True,
        False,
    ],
)
def test_what_says_itself_or_describes_nothing_is_left_alone(schema):
    assert closed(schema) == schema


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
