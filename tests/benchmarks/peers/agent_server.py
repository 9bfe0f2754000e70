"""A hand-written FastAPI WebSocket endpoint on uvicorn that streams a LangGraph graph, as its users write it."""

from __future__ import annotations

import socket
from uuid import uuid4

import orjson
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.benchmarks.agentgraph import make_graph

app = FastAPI()
graph = make_graph()


@app.websocket("/")
async def connected(websocket: WebSocket) -> None:
    await websocket.accept()
    config = {"configurable": {"thread_id": str(uuid4())}}
    try:
        while True:
            envelope = orjson.loads(await websocket.receive_text())
            question = {"messages": [("user", str(envelope["payload"]["count"]))]}

            async def send(eventtype: str, message: str, id: str = envelope["id"]) -> None:
                frame = {"eventtype": eventtype, "id": id, "payload": {"message": message}}
                await websocket.send_text(orjson.dumps(frame).decode())

            await send("stream.start", "[STREAM_START]")
            async for chunk, _ in graph.astream(question, config, stream_mode="messages", durability="exit"):
                if chunk.content:
                    await send("stream.chunk", chunk.content)
            await send("stream.end", "[STREAM_END]")
    except WebSocketDisconnect:
        pass


def main() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(f"ws://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", ws="websockets-sansio", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
