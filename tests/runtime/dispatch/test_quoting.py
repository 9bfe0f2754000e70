"""What a client sent is repeated to 200 characters, in answers and in the log, wherever it stood (P7.1)."""

from __future__ import annotations

import json
import re

import pytest

from gsws.protocol.quoting import MAX_QUOTED, is_id, quoted
from tests.runtime.support import served

LONG = "q" * 100_000
FILES = {
    "events/all.yaml": """
        websocket.any: {fn: work.echo, payload: {}}
        websocket.strict:
          fn: work.echo
          payload:
            type: object
            additionalProperties: false
            properties:
              integer: {type: integer}
              enum: {enum: [x]}
              const: {const: x}
              pattern: {pattern: "^x$"}
              format: {format: email}
              length: {maxLength: 3}
              inner: {type: object, additionalProperties: false}
              names: {propertyNames: {maxLength: 3}}
              choice: {anyOf: [{type: integer}, {type: boolean}]}
              unique: {uniqueItems: true}
        """,
    "functions/work.py": "async def echo(ctx, payload):\n    ctx.logger.info('asked')\n",
}
VALUES = [LONG, [LONG, LONG], {LONG: LONG}]
STRICT = ["integer", "enum", "const", "pattern", "format", "length", "inner", "names", "choice", "unique", LONG]
CONTROL = [
    {"id": LONG}, {"id": LONG, "seq": 1}, {"token": LONG}, LONG, {LONG: LONG},
    {"session": LONG, "secret": LONG, "streams": {LONG: 1}},
    {"session": "x", "secret": LONG, "streams": [[LONG, 1]]},
]  # fmt: skip
MESSAGES = [
    *({"eventtype": name, "payload": {}, **more} for name in (LONG, f"websocket.{LONG}") for more in ({}, {"id": 1})),
    {"eventtype": "websocket.any", "id": LONG},
    {"eventtype": "websocket.any", "id": 1, "meta": {"idempotency_key": LONG, "traceparent": LONG, LONG: LONG}},
    *({"eventtype": "websocket.strict", "id": 1, "payload": {name: value}} for name in STRICT for value in VALUES),
    *({"eventtype": "websocket.strict", "id": 1, "payload": value} for value in VALUES[:2]),
    *(
        {"eventtype": f"gsws.{name}", "payload": payload, **more}
        for name in ("cancel", "ack", "follow", "unfollow", "auth", "resume", LONG)
        for payload in CONTROL
        for more in ({}, {"id": 1})
    ),
]
TOO_MUCH = re.compile(r"q{201}")


@pytest.mark.parametrize("profile", [{}, {"subprotocols": ["gsws.v1"]}], ids=["plain", "session"])
def test_no_answer_and_no_line_repeats_more(tmp_path, profile):
    """Names, ids, keys and values of every kind of message, known or not, good or not."""
    with served(tmp_path, FILES) as running:
        texts = [json.dumps(message) for message in MESSAGES] + [LONG, f'"{LONG}"', f'{{"eventtype":"{LONG}", x']
        for text in texts:
            with running.client(query=f"?clientId={LONG[:2000]}", **profile) as client:
                client.raw(text)
                client.raw('{"eventtype":"gsws.ping","payload":{"last":true}}')
                while True:
                    frame = client.socket.recv(5)
                    assert not TOO_MUCH.search(frame), text[:200]
                    assert len(frame) < 4000
                    if '"gsws.pong"' in frame:
                        break
        assert running.log("asked")
        assert not [line for line in running.logs if TOO_MUCH.search(json.dumps(line, default=repr))]


def test_what_is_short_is_quoted_whole():
    """And what is long says that it goes on."""
    assert quoted("x" * 200) == "x" * 200
    assert quoted("x" * 201) == "x" * 199 + "…"
    assert len(quoted(LONG)) == MAX_QUOTED


@pytest.mark.parametrize("id", [None, True, 1.0, "", "x" * 65, [], {}])
def test_what_is_no_id(id):
    """P2.2."""
    assert not is_id(id)


@pytest.mark.parametrize("id", ["x", "x" * 64, 0, -1, 10**400])
def test_what_is_an_id(id):
    """P2.2."""
    assert is_id(id)
