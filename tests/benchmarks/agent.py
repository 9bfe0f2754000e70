"""
What gsws adds to a graph: in process beside `graph.astream`, and as a whole server beside a hand-written one.

In process: CPU of one token and time to the first, with the same graph and the same checkpointer. Whole servers: CPU
of one token, several streams at a time. From a cancel to the provider's closed connection is measured too, with the
real Google client at the stand-in of its API.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.agentpeers import Ask, chainlit, langgraph_dev
from tests.benchmarks.delivery import run_streams
from tests.benchmarks.figures import Added, Comparison, Latency, compare, latency
from tests.benchmarks.server import GSWS, LOAD_CORE, Contestant, Server

__all__ = ["measure_agent", "measure_cancel", "measure_turns"]

STREAMS = 20
_FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\n",
    "events/tokens.yaml": "websocket.tokens: {fn: tokens, payload: {}}\n",
    "functions/tokens.py": """from gsws.ai import run
from tests.benchmarks.agentgraph import make_graph

graph = make_graph()


async def tokens(ctx, payload):
    async for frame in run(graph, str(payload["count"]), ctx=ctx, thread=ctx.request_id):
        yield frame
""",
}


def measure_turns(rounds: int, tokens: int) -> dict[str, Sequence[Comparison | Latency | Added]]:
    """CPU of a token and time to the first of `run` beside `graph.astream`, in a process of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.agent", str(rounds), str(tokens)]
    pinned = {"preexec_fn": lambda: os.sched_setaffinity(0, {LOAD_CORE})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True, **pinned)  # type: ignore[call-overload]
    figures = json.loads(done.stdout)
    ours, theirs = figures["cpu"]["gsws.ai.run"], figures["cpu"]["graph.astream"]
    first, bare = figures["first"]["gsws.ai.run"], figures["first"]["graph.astream"]
    return {
        "CPU of a token in process, the same graph": [
            *compare("us", figures["cpu"], {}, subject="gsws.ai.run"),
            Added.of("added by gsws", "us", [one - other for one, other in zip(ours, theirs, strict=True)], goal=20),
        ],
        "Time to the first token in process": [
            latency("graph.astream", bare),
            latency("gsws.ai.run", first),
            Added.of("added by gsws", "ms", [(a - b) * 1000 for a, b in zip(first, bare, strict=True)], goal=5),
        ],
    }


def measure_agent(folder: Path, rounds: int, tokens: int, *, others: bool = True) -> list[Comparison]:
    """CPU of one token of whole servers; ``others`` are those that must be installed first."""
    project = folder / "agent"
    for name, text in _FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    peer = [sys.executable, "-m", "tests.benchmarks.peers.agent_server"]
    entries: list[tuple[Contestant, Ask]] = [
        (Contestant("gsws", [GSWS, "serve", "--env", "production"], project), run_streams),
        (Contestant("FastAPI on uvicorn", peer), run_streams),
        *((chainlit(folder), langgraph_dev(folder)) if others else ()),
    ]
    for entry, _ in entries:
        if entry.why_not:
            print(f"without {entry.name}: {entry.why_not}", file=sys.stderr)
    entries = [(entry, ask) for entry, ask in entries if not entry.why_not]
    figures: dict[str, list[float]] = {entry.name: [] for entry, _ in entries}
    servers = [(Server(entry).start(60), ask) for entry, ask in entries]
    try:
        for number in range(-1, rounds):
            for server, ask in servers:
                before = server.cpu()
                ask(server.port, tokens, STREAMS)
                used = (server.cpu() - before) / (tokens * STREAMS) * 1e6
                print(f"agent round {number + 1} of {rounds}: {server.contestant.name} {used:.2f} us", file=sys.stderr)
                if number >= 0:
                    figures[server.contestant.name].append(used)
    finally:
        for server, _ in servers:
            server.stop()
    return compare("us", figures, {})


def measure_cancel(times: int) -> list[Latency]:
    """From the cancel of a turn to the end of the provider's request, as the provider sees it."""
    from gsws.ai import chat_model, run
    from gsws.testing.gemini import FakeGemini, Turn
    from tests.benchmarks.agentgraph import make_graph_of

    took: list[float] = []

    async def once(graph: Any, gemini: FakeGemini, number: int) -> None:
        gemini.script(Turn("word " * 1000, delay=0.02))
        spoke = asyncio.Event()

        async def consume() -> None:
            async for frame in run(graph, "go on", thread=str(number)):
                if frame.eventtype == "stream.chunk":
                    spoke.set()

        task = asyncio.create_task(consume())
        await asyncio.wait_for(spoke.wait(), 20)
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task], timeout=20)
        took.append(await asyncio.to_thread(gemini.wait_closed) - began)

    async def all_of_them(gemini: FakeGemini) -> None:
        model = chat_model("google_genai:gemini-flash-latest", api_key="fake-key", base_url=gemini.url)
        graph = make_graph_of(model)
        for number in range(-1, times):
            await once(graph, gemini, number)
        await model.aclose()

    with FakeGemini() as gemini:
        asyncio.run(all_of_them(gemini))
    return [latency("a cancelled turn, to the provider's closed connection", took[1:], goal=200)]


async def _bare(graph: Any, tokens: int, thread: str) -> float:
    """`graph.astream` as its users write it; returns the time to the first token."""
    began, first = time.perf_counter(), 0.0
    config = {"configurable": {"thread_id": thread}}
    given = {"messages": [("user", str(tokens))]}
    async for chunk, _ in graph.astream(given, config, stream_mode="messages", durability="exit"):
        if not first and chunk.content:
            first = time.perf_counter() - began
    return first


async def _ours(graph: Any, tokens: int, thread: str) -> float:
    from gsws.ai import run

    began, first = time.perf_counter(), 0.0
    frames: AsyncIterator[Any] = run(graph, str(tokens), thread=thread)
    async for frame in frames:
        if not first and frame.eventtype == "stream.chunk":
            first = time.perf_counter() - began
    return first


async def _compare(rounds: int, tokens: int) -> dict[str, Any]:
    from tests.benchmarks.agentgraph import make_graph

    graph = make_graph()
    kinds = {"gsws.ai.run": _ours, "graph.astream": _bare}
    cpu: dict[str, list[float]] = {name: [] for name in kinds}
    first: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(-2, rounds):
        for name, stream in kinds.items():
            before = time.process_time()
            took = await stream(graph, tokens, f"{name}{number}")
            if number >= 0:
                cpu[name].append((time.process_time() - before) / tokens * 1e6)
                first[name].append(took)
    return {"cpu": cpu, "first": first}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_compare(int(sys.argv[1]), int(sys.argv[2])))))
