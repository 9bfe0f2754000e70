"""
The message that is measured: its schema, an example, and what a right answer is.

Every server reads the schema from here (`python -m tests.benchmarks.workload` prints it for Node.js).
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["EVENT", "PAYLOAD", "SCHEMA", "anonymous_message", "is_answer", "message"]

EVENT = "websocket.echo"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["text", "user", "count"],
    "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 2000},
        "user": {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"},
        "count": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "maxItems": 8, "items": {"enum": ["a", "b", "c"]}},
        "position": {
            "type": "object",
            "required": ["x", "y"],
            "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
        },
    },
}

PAYLOAD: dict[str, Any] = {
    "text": "What is the weather like in Reykjavík today?",
    "user": "user-4711",
    "count": 3,
    "tags": ["a", "c"],
    "position": {"x": 64.1466, "y": -21.9426},
}


def message(number: int) -> bytes:
    """One request as a client writes it."""
    envelope = {"eventtype": EVENT, "id": f"m{number}", "payload": PAYLOAD}
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()


def anonymous_message(number: int) -> bytes:
    """The same without an id, for a handler that answers by itself."""
    envelope = {"eventtype": EVENT, "payload": {**PAYLOAD, "count": number}}
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()


def is_answer(raw: bytes, number: int) -> bool:
    """Whether these bytes are the whole answer to `message(number)`; further keys are allowed."""
    answer = json.loads(raw)
    if "id" not in answer:
        return bool(answer["eventtype"] == "reply" and answer["payload"]["data"] == {**PAYLOAD, "count": number})
    return bool(
        answer["eventtype"] == "reply"
        and answer["id"] == f"m{number}"
        and {"success": True, "code": 200, "data": PAYLOAD}.items() <= answer["payload"].items()
    )


if __name__ == "__main__":
    print(json.dumps(SCHEMA))
