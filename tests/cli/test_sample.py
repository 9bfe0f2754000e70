"""The line that `gsws serve` shows to try an event fits that event."""

from __future__ import annotations

from types import SimpleNamespace

import jsonschema
import pytest

from gsws.cli.sample import call_line


def event(schema, validates="payload"):
    check = jsonschema.Draft202012Validator(schema).is_valid
    inbound = SimpleNamespace(check=check)
    return SimpleNamespace(key="websocket.x", validates=validates, inbound=inbound, inbound_schema=schema)


def described(**properties):
    return {"type": "object", "required": list(properties), "properties": properties}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        (described(message={"type": "string"}), "message=hello"),
        (described(n={"type": "integer", "minimum": 5}), "n=5"),
        (described(n={"type": "integer", "maximum": -3}), "n=-3"),
        (described(x={"type": "string", "enum": ["a b", "c"]}), "'x=a b'"),
        (described(x={"type": "string", "const": "3"}), "'x=\"3\"'"),
        (described(name={"type": "string", "minLength": 8}), "name=helloooo"),
        (described(name={"type": "string", "maxLength": 2}), "name=he"),
        (described(ok={"type": "boolean"}, none={"type": "null"}), "ok=true none=null"),
        (described(tags={"type": "array", "minItems": 1, "items": {"type": "string"}}), "'tags=[\"hello\"]'"),
        (described(user=described(name={"type": "string"})), '\'user={"name": "hello"}\''),
        ({"type": "object"}, ""),
        (True, ""),
    ],
)
def test_line(schema, arguments):
    assert call_line(event(schema)) == f"gsws call websocket.x {arguments}".strip()


def test_whole_message():
    schema = described(eventtype={"type": "string"}, payload=described(message={"type": "string"}))
    line = call_line(event(schema, "message"), "ws://127.0.0.1:4000")
    assert line == "gsws call websocket.x message=hello --url ws://127.0.0.1:4000"


@pytest.mark.parametrize(
    "schema",
    [
        described(x={"type": "string", "pattern": "^[0-9]{4}$"}),
        described(**{"a.b": {"type": "string"}}),
        {"type": "array"},
        {"not": {}},
        described(n={"minimum": "odd", "type": "integer"}) | {"maxProperties": 0},
    ],
)
def test_no_line_rather_than_a_wrong_one(schema):
    assert call_line(event(schema)) is None
