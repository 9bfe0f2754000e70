"""A hand-written FastAPI endpoint on uvicorn, with uvloop and its sans-I/O `websockets` protocol."""

from __future__ import annotations

import socket
from typing import Any

import jsonschema_rs
import orjson
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.benchmarks.workload import EVENT, SCHEMA

VALIDATOR = jsonschema_rs.validator_for(SCHEMA)

app = FastAPI()


async def echo(payload: Any) -> Any:
    return payload


ROUTES = {EVENT: (echo, VALIDATOR.is_valid)}


@app.websocket("/")
async def connected(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            envelope = orjson.loads(await websocket.receive_text())
            route = ROUTES.get(envelope["eventtype"])
            if route is None:
                answer = {"eventtype": "stream.error", "id": envelope.get("id"), "payload": {"code": 404}}
            else:
                handler, is_valid = route
                if is_valid(envelope["payload"]):
                    data = await handler(envelope["payload"])
                    payload = {"success": True, "code": 200, "data": data}
                    answer = {"eventtype": "reply", "id": envelope["id"], "payload": payload}
                else:
                    answer = {"eventtype": "stream.error", "id": envelope.get("id"), "payload": {"code": 400}}
            await websocket.send_text(orjson.dumps(answer).decode())
    except WebSocketDisconnect:
        pass


def main() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(f"ws://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", ws="websockets-sansio", log_level="warning", access_log=False, backlog=1024
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
