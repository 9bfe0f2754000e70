"""Whole-message schemas that no message fits, or that belong to another event."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: object}", []),
        ("true", []),
        ("{}", []),
        ("{type: object, required: [eventtype, payload]}", []),
        ("{type: [object, 'null']}", []),
        ("{properties: {eventtype: {const: websocket.chat}}}", []),
        ("{properties: {eventtype: {enum: [x, websocket.chat]}}}", []),
        ("{required: [eventtype, version], properties: {eventtype: {type: string}}}", []),
        ("{anyOf: [{type: string}, {type: object}]}", []),
        (
            "{type: object, required: [message], properties: {message: {type: string}}, additionalProperties: false}",
            ["GS412"],
        ),
        ("{type: object, required: [message], properties: {message: {type: string}}}", ["GS412"]),
        ("{type: string}", ["GS412"]),
        ("{type: [string, array]}", ["GS412"]),
        ("false", ["GS412"]),
        ("{properties: {payload: {}}, additionalProperties: false}", ["GS412"]),
        ("{required: [id], properties: {eventtype: {}}}", ["GS412"]),
        ("{properties: {eventtype: {type: integer}}}", ["GS412"]),
        ("{properties: {payload: false, eventtype: {}}}", ["GS412"]),
        ("{allOf: [{type: object}, {type: string}]}", ["GS412"]),
        ("{anyOf: [{type: string}, {type: array}]}", ["GS412"]),
        ("{properties: {eventtype: {const: websocket.other}}}", ["GS413"]),
        ("{properties: {eventtype: {enum: [a.b, c.d]}}}", ["GS413"]),
        ("{allOf: [{properties: {eventtype: {const: x}}}]}", ["GS413"]),
    ],
)
def test_a_message_must_be_able_to_fit(event, schema, expected):
    project = event(f"schema: {schema}")
    found = [finding.code for finding in project.findings if finding.code in ("GS412", "GS413")]

    assert found == expected


def test_the_payload_alone_may_be_anything(event):
    for schema in ("{type: string}", "{type: object, required: [message], additionalProperties: false}"):
        assert not [finding for finding in event(f"payload: {schema}").findings if finding.code == "GS412"]


def test_a_constant_for_one_of_two_sources_contradicts_the_other(tree):
    codes = tree.codes(
        {
            "eventsources/b.yaml": "type: websocket\nport: 8001\n",
            "events/chat.yaml": '"websocket & b.x": {fn: chat, schema: {properties: {eventtype: {const: b.x}}}}\n',
        }
    )

    assert codes == ["GS413"]
