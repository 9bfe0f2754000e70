"""Graphs for stores of threads: one that answers, one that asks, and turns on them as `gsws.ai.run` does them."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from gsws.ai import ThreadStore, thread_id

DEADLINE = 60
SERVER = "127.0.0.1:5432"


def within(main):
    """Run a coroutine, at most a minute."""

    async def limited():
        async with asyncio.timeout(DEADLINE):
            return await main

    return asyncio.run(limited())


def answering(store: ThreadStore, text: str = "an answer") -> Any:
    """A graph of one node that answers, compiled on a store."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(text)]}

    return _linear(answer).compile(checkpointer=store.checkpointer)


def asking(store: ThreadStore) -> Any:
    """A graph that asks a person twice, first inside a subgraph."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"told {interrupt({'question': 'may I?'})}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("inner", _linear(ask).compile())
    builder.add_node("outer", ask)
    builder.add_edge(START, "inner")
    builder.add_edge("inner", "outer")
    builder.add_edge("outer", END)
    return builder.compile(checkpointer=store.checkpointer)


def _linear(node: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder


def config(subject: str = "ann", thread: str = "work") -> dict[str, Any]:
    return {"configurable": {"thread_id": thread_id(subject, thread)}}


async def turn(graph: Any, message: Any = "a question", subject: str = "ann", thread: str = "work") -> list[Any]:
    """One turn with ``durability="exit"``; a `Command` resumes."""
    given = message if isinstance(message, Command) else {"messages": [HumanMessage(message)]}
    return [part async for part in graph.astream(given, config(subject, thread), durability="exit")]


async def said(graph: Any, subject: str = "ann", thread: str = "work") -> list[str]:
    """Texts of a thread's messages."""
    state = await graph.aget_state(config(subject, thread))
    return [message.content for message in state.values.get("messages", [])]


def postgres_missing() -> str | None:
    """Why there is no server to try, or None; with ``CI=true`` its absence is a failure."""
    try:
        import psycopg

        psycopg.connect(f"postgresql://postgres@{SERVER}/test", connect_timeout=3).close()
    except (ImportError, OSError) as error:
        reason = f"no Postgres: {error}"
    except Exception as error:
        if not isinstance(error, psycopg.Error):
            raise
        reason = f"no Postgres at {SERVER}: {str(error).splitlines()[0]}"
    else:
        return None
    assert os.environ.get("CI") != "true", reason
    return reason


@asynccontextmanager
async def a_schema() -> AsyncIterator[str]:
    """The address of a schema of its own on the real server, which is dropped afterwards."""
    import psycopg

    if (reason := postgres_missing()) is not None:
        pytest.skip(reason)
    name = f"gsws_{uuid.uuid4().hex[:16]}"
    base = f"postgresql://postgres@{SERVER}/test"
    async with await psycopg.AsyncConnection.connect(base, autocommit=True) as connection:
        await connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{base}?options=-csearch_path%3D{name}&application_name={name}"
        finally:
            await connection.execute(f"DROP SCHEMA {name} CASCADE")


@asynccontextmanager
async def an_address(kind: str, folder: Any) -> AsyncIterator[str]:
    """An empty store's address, of each kind."""
    if kind == "postgres":
        async with a_schema() as url:
            yield url
    else:
        yield "memory:" if kind == "memory" else f"sqlite:///{folder}/threads.sqlite"


@asynccontextmanager
async def opened(url: Any, **options: Any) -> AsyncIterator[ThreadStore]:
    store = await ThreadStore.open(url, **options)
    try:
        yield store
    finally:
        await store.aclose()


async def checkpoints(store: ThreadStore) -> list[tuple[str, str]]:
    """Thread and namespace of every checkpoint that is stored."""
    found = [one.config["configurable"] async for one in store.checkpointer.alist(None)]
    return sorted((one["thread_id"], one["checkpoint_ns"]) for one in found)
