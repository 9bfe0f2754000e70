"""
The example that gsws promises to run for ever: the original plugin's event, and its browser client unchanged.

Not here: how the client is run (`test_node_client`, `test_browser`).
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CLIENT",
    "QUESTION",
    "STREAM_PROJECT",
    "WORDS",
    "YIELDING_HANDLER",
    "client_for",
    "expected_lines",
]

# Ten lines as users have them in the field. Only the port is ever replaced.
CLIENT = """\
const ws = new WebSocket("ws://localhost:8000?clientId=test-user");

ws.onopen = () => {
  ws.send(JSON.stringify({
    eventtype: "websocket.stream",
    payload: { message: "What is LangGraph and how does it work?" }
  }));
};

ws.onmessage = (msg) => {
  const { eventtype, payload } = JSON.parse(msg.data);
  console.log(`[${eventtype}]`, payload.message);
};
"""

QUESTION = "What is LangGraph and how does it work?"
WORDS = ("LangGraph ", "is a library. 🙂")

# The files of the original: under src/, the event as it was written, and a handler of its shape.
STREAM_PROJECT = {
    "src/eventsources/websocket.yaml": "type: websocket\nport: 8000\n",
    "src/events/websocket_stream.yaml": """\
"websocket.stream":
  fn: stream_gemini
  schema:
    type: object
    required:
      - eventtype
      - payload
    properties:
      eventtype:
        type: string
      payload:
        type: object
        required:
          - message
        properties:
          message:
            type: string
""",
    "src/functions/stream_gemini.py": f"""\
from gsws import GSContext, GSStatus


async def stream_gemini(ctx: GSContext) -> GSStatus:
    data = ctx.inputs.data
    ws, client_id, payload = data.ws, data.clientId, data.payload
    if not ws or ws.readyState != ws.OPEN:
        return GSStatus(False, 400, "WebSocket disconnected")
    assert client_id == "test-user", client_id
    assert payload["message"] == {QUESTION!r}, payload

    await ws.send({{"eventtype": "stream.start", "payload": {{"message": "[STREAM_START]"}}}})
    for token in {WORDS!r}:
        await ws.send({{"eventtype": "stream.chunk", "payload": {{"message": token}}}})
    await ws.send({{"eventtype": "stream.end", "payload": {{"message": "[STREAM_END]"}}}})
    return GSStatus(True, 200, "Streaming completed")
""",
}

YIELDING_HANDLER = f"""\
async def stream_gemini(payload):
    for token in {WORDS!r}:
        yield token
"""


def client_for(port: int) -> str:
    """The client with the port of a test's server in its URL, else unchanged."""
    assert CLIENT.count(":8000?") == 1
    return CLIENT.replace(":8000?", f":{port}?")


def expected_lines(words: Sequence[str] = WORDS) -> list[str]:
    """What the client prints for a whole answer, a line each."""
    return [
        "[stream.start] [STREAM_START]",
        *(f"[stream.chunk] {word}" for word in words),
        "[stream.end] [STREAM_END]",
    ]
