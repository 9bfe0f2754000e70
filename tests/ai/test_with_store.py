"""Turns on threads that a `ThreadStore` keeps: cut off, asked, answered and retried over a restart of the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gsws.ai import ThreadStore, history, resume, retry, run
from tests.ai.support import Model, agent, call, collect, done, finish, only, text, until
from tests.ai.turn.test_agent import DELETED, approving


def test_a_cancelled_turn_is_kept_and_retried_after_a_restart(tmp_path: Path) -> None:
    """What was seen of a cancelled answer is there when the store is opened again, and a retry replaces it."""
    url = f"sqlite:///{tmp_path}/threads.sqlite"

    async def scenario() -> None:
        store = await ThreadStore.open(url)
        seen: list[Any] = []
        model = Model(["one ", "two ", asyncio.Event()])

        async def ask() -> None:
            async for frame in run(agent(model, saver=store.checkpointer), "first", subject="ann"):
                seen.append(frame)

        task = asyncio.create_task(ask())
        await until(lambda: text(seen) == "one two ")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.aclose()

        store = await ThreadStore.open(url)
        graph = agent(Model(["whole", done()]), saver=store.checkpointer)
        kept = await history(graph, subject="ann")
        assert [(entry["role"], entry["content"]) for entry in kept] == [("user", "first"), ("assistant", "one two ")]
        assert text(await collect(retry(graph, subject="ann"))) == "whole"
        assert [entry["content"] for entry in await history(graph, subject="ann")] == ["first", "whole"]
        await store.delete("ann")
        assert await history(graph, subject="ann") == []
        await store.aclose()

    finish(scenario())


def test_a_question_survives_a_restart_and_counts_once(tmp_path: Path) -> None:
    """An interrupt is answered in the next process; a second answer, and one after a deletion, are refused."""
    DELETED.clear()
    url = f"sqlite:///{tmp_path}/threads.sqlite"

    async def scenario() -> None:
        store = await ThreadStore.open(url)
        asking = approving(Model([call("delete"), done()]), store.checkpointer)
        [asked] = only(await collect(run(asking, "delete", subject="ann")), "interrupt")
        await store.aclose()

        store = await ThreadStore.open(url)
        graph = approving(Model(["gone", done()]), store.checkpointer)
        assert text(await collect(resume(graph, {asked["id"]: "yes"}, subject="ann"))) == "gone"
        assert DELETED == ["all"]
        again = await collect(resume(graph, {asked["id"]: "yes"}, subject="ann"))
        assert again[-1].payload["error"] == "unknown_interrupt"
        await store.aclose()

    finish(scenario())
