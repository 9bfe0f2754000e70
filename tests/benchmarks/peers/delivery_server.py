"""Streams and broadcasts, written by hand on `websockets.asyncio` (uvloop): the same frames as gsws sends."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

MEMBERS: set[ServerConnection] = set()


async def tokens(count: int) -> Any:
    for number in range(count):
        yield f"token {number} "
        await asyncio.sleep(0)


async def stream(connection: ServerConnection, id: Any, count: int) -> None:
    seq = 0

    async def send(eventtype: str, payload: dict[str, Any]) -> None:
        nonlocal seq
        frame = {"eventtype": eventtype, "id": id, "seq": seq, "payload": payload}
        seq += 1
        await connection.send(orjson.dumps(frame), text=True)

    await send("stream.start", {"message": "[STREAM_START]"})
    async for token in tokens(count):
        await send("stream.chunk", {"message": token})
    await send("stream.end", {"message": "[STREAM_END]", "reason": "complete", "chunks": count})


async def connected(connection: ServerConnection) -> None:
    async for message in connection:
        envelope = orjson.loads(message)
        payload = envelope["payload"]
        match envelope["eventtype"]:
            case "websocket.tokens":
                await stream(connection, envelope["id"], payload["count"])
            case "websocket.join":
                MEMBERS.add(connection)
            case "websocket.fan":
                for number in range(payload["count"]):
                    frame = {"eventtype": "room.said", "payload": {"text": f"number {number} to everybody"}}
                    broadcast(MEMBERS, orjson.dumps(frame).decode())
                    await asyncio.sleep(0)
    MEMBERS.discard(connection)


async def main() -> None:
    async with serve(connected, "127.0.0.1", 0, compression=None) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
