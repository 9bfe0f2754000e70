"""
Other servers of agents, each installed into a virtual environment of its own when it is asked for.

Lives here: making the environments, the applications, and how each is asked for streams. What is measured is
`tests.benchmarks.agent`'s. A peer that cannot be installed is left out, and says why.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from websockets.asyncio.client import connect

from tests.benchmarks.server import ROOT, Contestant

__all__ = ["Ask", "chainlit", "langgraph_dev"]

Ask = Callable[[int, int, int], None]
"""Asks a port for streams of so many tokens, so many at once, and reads them to their ends."""

_ENVIRONMENTS = ROOT / "build" / "bench"
_SECONDS = 300
_CHAINLIT = """from uuid import uuid4

import chainlit as cl

from tests.benchmarks.agentgraph import make_graph

graph = make_graph()


@cl.on_message
async def answer(message: cl.Message):
    reply = cl.Message(content="")
    config = {"configurable": {"thread_id": str(uuid4())}}
    given = {"messages": [("user", message.content)]}
    async for chunk, _ in graph.astream(given, config, stream_mode="messages", durability="exit"):
        if chunk.content:
            await reply.stream_token(chunk.content)
    await reply.send()
"""
_LANGGRAPH = """from langgraph.graph import START, MessagesState, StateGraph

from tests.benchmarks.agentgraph import Words

model = Words()


async def agent(state: MessagesState):
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("agent", agent).add_edge(START, "agent").compile()
"""


def chainlit(folder: Path) -> tuple[Contestant, Ask]:
    """Chainlit: its own server and protocol (socket.io), the same graph in `on_message`."""
    home, why_not = folder / "chainlit", _install("chainlit", "chainlit", "langgraph")
    home.mkdir(parents=True, exist_ok=True)
    (home / "app.py").write_text(_CHAINLIT)
    program = _ENVIRONMENTS / "chainlit" / "bin" / "chainlit"
    command = [program, "run", "app.py", "--headless", "--port", str(_free_port())]
    return Contestant("Chainlit", command, home, why_not), _ask_chainlit


def langgraph_dev(folder: Path) -> tuple[Contestant, Ask]:
    """`langgraph dev`: LangGraph's own development server, streaming server-sent events."""
    home, why_not = folder / "langgraph-dev", _install("langgraph-dev", "langgraph-cli[inmem]", "langgraph")
    home.mkdir(parents=True, exist_ok=True)
    (home / "app.py").write_text(_LANGGRAPH)
    (home / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": {"agent": "./app.py:graph"}}))
    program = _ENVIRONMENTS / "langgraph-dev" / "bin" / "langgraph"
    quiet = ["env", "LANGGRAPH_CLI_NO_ANALYTICS=1", "LANGSMITH_TRACING=false"]
    command = [
        *quiet,
        program,
        "dev",
        "--no-browser",
        "--no-reload",
        "--n-jobs-per-worker",
        "20",
        "--port",
        str(_free_port()),
    ]
    return Contestant("langgraph dev", command, home, why_not), _ask_langgraph


def _install(name: str, *packages: str) -> str:
    """Make the environment if it is not there; returns why it cannot be, or an empty text."""
    place = _ENVIRONMENTS / name
    if (place / "installed").exists():
        return ""
    print(f"installing {packages[0]} into {place}", file=sys.stderr)
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", place], pip):
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if done.returncode:
                return f"cannot be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    except subprocess.TimeoutExpired:
        return f"cannot be installed within {_SECONDS} s"
    (place / "installed").touch()
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask_langgraph(port: int, tokens: int, streams: int) -> None:
    messages = [{"role": "user", "content": str(tokens)}]
    given = {"assistant_id": "agent", "input": {"messages": messages}, "stream_mode": ["messages-tuple"]}
    body = json.dumps(given).encode()
    head = "POST /runs/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    connections = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(streams)]
    for connection in connections:
        connection.sendall(head.encode() + body)
    for connection in connections:
        tail, last = b"", b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            data = connection.recv(1 << 20)
            if not data:
                raise RuntimeError("langgraph dev closed the connection")
            tail = (tail + data)[-64:]
            last = (last + data)[-20_000:]
        if b"event: error" in last:
            raise RuntimeError(f"langgraph dev failed: {last[-500:]!r}")
        connection.close()


def _ask_chainlit(port: int, tokens: int, streams: int) -> None:
    async def one() -> None:
        address = f"ws://127.0.0.1:{port}/ws/socket.io/?EIO=4&transport=websocket"
        asked = False
        came = 0
        async with connect(address, max_size=None) as connection:
            session = {"clientType": "webapp", "sessionId": str(uuid4()), "threadId": "", "userEnv": "{}"}
            async for message in connection:
                text = str(message)
                if text == "2":
                    await connection.send("3")
                elif text.startswith("0"):
                    await connection.send("40" + json.dumps({**session, "chatProfile": ""}))
                elif text.startswith("40"):
                    await connection.send('42["connection_successful"]')
                elif text.startswith('42["stream_token"'):
                    came += 1
                elif text.startswith('42["task_end"'):
                    if asked:
                        assert came >= tokens - 1, f"{came} of {tokens} tokens came"  # the first one opens the message
                        return
                    asked = True
                    question = {"id": str(uuid4()), "threadId": "", "name": "user", "type": "user_message"}
                    question |= {"output": str(tokens), "createdAt": "2026-01-01T00:00:00Z"}
                    sent = ["client_message", {"message": question, "fileReferences": []}]
                    await connection.send("42" + json.dumps(sent))

    async def all_of_them() -> None:
        async with asyncio.timeout(300):
            await asyncio.gather(*(one() for _ in range(streams)))

    asyncio.run(all_of_them())
