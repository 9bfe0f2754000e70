"""A hand-written server on `websockets.asyncio`; `--uvloop` runs it on uvloop."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import jsonschema_rs
import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from tests.benchmarks.workload import EVENT, SCHEMA

VALIDATOR = jsonschema_rs.validator_for(SCHEMA)


async def echo(payload: Any) -> Any:
    return payload


ROUTES = {EVENT: (echo, VALIDATOR.is_valid)}


async def connected(connection: ServerConnection) -> None:
    async for message in connection:
        envelope = orjson.loads(message)
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
        await connection.send(orjson.dumps(answer), text=True)


async def main() -> None:
    async with serve(connected, "127.0.0.1", 0, max_size=2**20) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        uvloop.run(main())
    else:
        asyncio.run(main())
