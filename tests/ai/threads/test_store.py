"""`ThreadStore`, the same on a file, in memory and on a real Postgres server."""

from __future__ import annotations

import asyncio
import operator
import sys
import time
from types import SimpleNamespace
from typing import Annotated, TypedDict

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from gsws.ai import ThreadStore, run, thread_id
from gsws.ai.threads import ThreadStoreError
from tests.ai.threads.support import (
    DEADLINE,
    an_address,
    answering,
    asking,
    checkpoints,
    config,
    opened,
    said,
    turn,
    within,
)

EVERY = pytest.mark.parametrize("kind", ["sqlite", "memory", "postgres"])
LASTING = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


async def rows(store: ThreadStore, table: str) -> int:
    """How many rows a table of the saver's has."""
    if hasattr(store.checkpointer, "pool"):
        async with store.checkpointer.pool.connection() as connection:
            name = {"writes": "checkpoint_writes"}.get(table, table)
            return (await (await connection.execute(f"SELECT count(*) AS n FROM {name}")).fetchone())["n"]
    return (await store.checkpointer.conn.execute_fetchall(f"SELECT count(*) FROM {table}"))[0][0]


def clock(monkeypatch, ahead: float) -> None:
    """Let turns be stored as if it were ``ahead`` seconds later."""
    for name in ("sqlite_saver", "postgres_saver"):
        if f"gsws.ai.threads.{name}" in sys.modules:
            shifted = SimpleNamespace(time=lambda: time.time() + ahead)
            monkeypatch.setattr(sys.modules[f"gsws.ai.threads.{name}"], "time", shifted)


@LASTING
def test_a_thread_survives_a_restart(kind, tmp_path):
    """What was said is there when the store is opened again."""

    async def main():
        async with an_address(kind, tmp_path) as url:
            async with opened(url) as store:
                await turn(answering(store), "my name is Ann")
            async with opened(url) as store:
                await turn(answering(store), "who am I?")
                return await said(answering(store))

    assert within(main()) == ["my name is Ann", "an answer", "who am I?", "an answer"]


@EVERY
@pytest.mark.parametrize("durability", ["exit", "async", "sync"])
def test_one_checkpoint_of_a_thread_is_kept(kind, durability, tmp_path):
    """However a graph is run, a thread holds its latest checkpoint and no write that is no longer pending."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            for number in range(5):
                given = {"messages": [HumanMessage(f"question {number}")]}
                async for _ in graph.astream(given, config(), durability=durability):
                    pass
            assert await checkpoints(store) == [("ann/work", "")]
            if durability != "exit":  # writes go side by side to Postgres, the last ones perhaps too late
                await store.prune()
            assert await rows(store, "writes") == 0
            if kind == "postgres":
                assert await rows(store, "checkpoint_blobs") == 1
            assert len(await said(graph)) == 10

    within(main())


@LASTING
@pytest.mark.parametrize("durability", ["exit", "async"])
def test_an_interrupt_is_answered_after_a_restart(kind, durability, tmp_path):
    """A question that waits, also one inside a subgraph, outlives the process; what is answered is dropped."""

    async def step(url, given):
        async with opened(url) as store:
            graph = asking(store)
            async for _ in graph.astream(given, config(), durability=durability):
                pass
            waiting = (await graph.aget_state(config())).interrupts
            if durability != "exit":
                await store.prune()
            return [one.id for one in waiting], await said(graph), await checkpoints(store), await rows(store, "writes")

    async def main():
        async with an_address(kind, tmp_path) as url:
            first, _, stored, writes = await step(url, {"messages": [HumanMessage("do it")]})
            assert len(first) == 1
            assert [namespace.partition(":")[0] for _, namespace in stored] == ["", "inner"]
            assert writes >= 2
            second, _, stored, writes = await step(url, Command(resume={first[0]: "yes"}))
            assert len(second) == 1
            assert second != first
            assert stored == [("ann/work", "")]
            assert writes >= 1
            third, texts, stored, writes = await step(url, Command(resume={second[0]: "indeed"}))
            assert (third, stored, writes) == ([], [("ann/work", "")], 0)
            assert texts == ["do it", "told yes", "told indeed"]

    within(main())


@LASTING
def test_a_new_question_drops_the_one_that_waited(kind, tmp_path):
    """A turn that is begun while an interrupt waits leaves nothing of it behind in the subgraph's namespace."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = asking(store)
            for _ in range(3):
                await turn(graph, "again")
            stored = await checkpoints(store)
            assert [namespace.partition(":")[0] for _, namespace in stored] == ["", "inner"]

    within(main())


@EVERY
def test_the_text_of_a_cancelled_answer_replaces_the_checkpoint(kind, tmp_path):
    """An update of the state from outside keeps one checkpoint too."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            await turn(graph)
            await graph.aupdate_state(config(), {"messages": [AIMessage("half an ans")]}, as_node=START)
            assert await checkpoints(store) == [("ann/work", "")]
            await turn(graph, "go on")
            assert await said(graph) == ["a question", "an answer", "half an ans", "go on", "an answer"]
            assert await rows(store, "writes") == 0

    within(main())


@EVERY
def test_a_subject_lists_its_own_threads(kind, tmp_path):
    """Names, titles, sizes and times of one subject's threads, the last used first, and nobody else's."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            await turn(graph, "about cats", "ann", "one")
            await turn(graph, "about dogs", "ann", "two/three")
            await turn(graph, "a secret", "ann/two", "three")
            await turn(graph, "more cats", "ann", "one")
            listed = await store.threads("ann")
            assert [(one["thread"], one["title"], one["messages"]) for one in listed] == [
                ("one", "about cats", 4),
                ("two/three", "about dogs", 2),
            ]
            now = time.strftime("%Y-%m-%dT", time.gmtime())
            assert listed[0]["updated"][:11] in (now, time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 120)))
            assert [one["thread"] for one in await store.threads("ann", limit=1)] == ["one"]
            assert await store.threads("bob") == []
            assert {one["subject"]: one["threads"] for one in await store.subjects()} == {"ann": 2, "ann/two": 1}

    within(main())


@EVERY
def test_a_subjects_threads_are_deleted_whole(kind, tmp_path):
    """Checkpoints, pending writes and the list entry go; other subjects keep theirs."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = asking(store)
            for thread in ("one", "two", "three"):
                await turn(graph, "do it", "ann", thread)
            await turn(answering(store), "keep this", "bob", "one")
            assert await store.delete("ann", "one") == 1
            assert await store.delete("ann", "one") == 0
            assert [one["thread"] for one in await store.threads("ann")] == ["three", "two"]
            assert await store.delete("ann") == 2
            assert await store.threads("ann") == []
            assert await checkpoints(store) == [("bob/one", "")]
            assert await rows(store, "writes") == 0
            if kind == "postgres":
                assert await rows(store, "checkpoint_blobs") == 1
            assert await said(graph, "bob", "one") == ["keep this", "an answer"]
            assert await said(graph, "ann", "one") == []

    within(main())


@EVERY
def test_hundreds_of_threads_are_deleted(kind, tmp_path):
    """Deleting goes in batches, to the end."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            for number in range(205):
                await turn(graph, "hi", "ann", f"thread {number}")
            assert len(await store.threads("ann", limit=500)) == 205
            assert await store.delete("ann") == 205
            assert await checkpoints(store) == []

    within(main())


@EVERY
def test_old_threads_expire(kind, tmp_path, monkeypatch):
    """Only what was last used before the given age goes."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            clock(monkeypatch, -7200)
            await turn(graph, "long ago", "ann", "old")
            await turn(graph, "long ago", "bob", "old")
            await turn(graph, "long ago", "ann", "used again")
            clock(monkeypatch, 0)
            await turn(graph, "now", "ann", "used again")
            await turn(graph, "now", "ann", "new")
            assert await store.expire(36_000) == 0
            assert await store.expire(3600) == 2
            assert sorted(await checkpoints(store)) == [("ann/new", ""), ("ann/used%20again", "")]

    within(main())


@EVERY
def test_a_thread_used_since_it_was_found_old_stays(kind, tmp_path):
    """A turn that ends between the look for old threads and their deletion is not lost."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            before = time.time() - 1
            await turn(answering(store))
            assert await store._backend.delete([thread_id("ann", "work")], before) == 0
            assert await said(answering(store)) == ["a question", "an answer"]

    within(main())


@LASTING
def test_threads_expire_while_serving(kind, tmp_path, monkeypatch):
    """A store that was opened with an age and a number keeps to them by itself."""

    async def main():
        async with an_address(kind, tmp_path) as url:
            async with opened(url) as store:
                graph = answering(store)
                clock(monkeypatch, -7200)
                await turn(graph, "long ago", "ann", "old")
                clock(monkeypatch, 0)
                for number in range(4):
                    await turn(graph, "now", "ann", f"new {number}")
                await turn(graph, "now", "bob", "new")
            async with opened(url, expire_after=3600, keep=2) as store:
                while len(await store.threads("ann")) > 2:
                    await asyncio.sleep(0.02)
                assert [one["thread"] for one in await store.threads("ann")] == ["new 3", "new 2"]
                assert len(await store.threads("bob")) == 1

    within(main())


@EVERY
def test_no_more_threads_of_a_subject_than_wanted(kind, tmp_path):
    """`prune` leaves the last used ones."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as first:
            graph = answering(first)
            for number in range(5):
                await turn(graph, "hi", "ann", f"{number}")
            first._keep = 3
            await first.prune()
            assert [one["thread"] for one in await first.threads("ann")] == ["4", "3", "2"]
            assert len(await checkpoints(first)) == 3

    within(main())


@EVERY
def test_keys_of_the_projects_own_making_are_nobodys(kind, tmp_path):
    """A graph that is run with another ``thread_id`` is in no subject's list and survives its deletion."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            own = {"configurable": {"thread_id": "ann"}}
            await graph.ainvoke({"messages": [HumanMessage("hi")]}, own, durability="exit")
            await store.prune()
            assert await store.threads("ann") == []
            assert await store.delete("ann") == 0
            assert len((await graph.aget_state(own)).values["messages"]) == 2

    within(main())


@EVERY
def test_many_threads_at_once(kind, tmp_path):
    """Turns of many users on one store lose nothing."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)

            async def user(name):
                for number in range(3):
                    await turn(graph, f"{name} {number}", name)

            await asyncio.gather(*(user(f"user{number}") for number in range(20)))
            for number in range(20):
                texts = (await said(graph, f"user{number}"))[::2]
                assert texts == [f"user{number} {turn}" for turn in range(3)]

    within(main())


@EVERY
def test_a_cancelled_turn_leaves_a_store_that_works(kind, tmp_path):
    """Wherever a turn is cut off, the next one finds the thread and stores its own."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            await turn(graph, "first")
            for steps in range(0, 60, 3):
                running = asyncio.create_task(turn(graph, "cut"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                running.cancel()
                await asyncio.wait({running}, timeout=DEADLINE)
            await turn(graph, "last")
            texts = await said(graph)
            assert (texts[0], texts[-2]) == ("first", "last")
            assert await checkpoints(store) == [("ann/work", "")]

    within(main())


@EVERY
def test_a_type_that_nobody_knows_is_not_imported(kind, tmp_path, monkeypatch):
    """A checkpoint that somebody forged names a class; it is neither imported nor called."""
    (tmp_path / "forged_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    # What LangGraph writes for an object: module, name and arguments to call it with.
    call = ormsgpack.Ext(1, ormsgpack.packb(("forged_module", "Thing", ("argument",))))
    system = ormsgpack.Ext(1, ormsgpack.packb(("os", "system", (f"touch {tmp_path}/called",))))

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            await turn(graph)
            saver = store.checkpointer
            if kind == "postgres":
                forged = ormsgpack.packb([call, system])
                async with saver.pool.connection() as connection:
                    await connection.execute("UPDATE checkpoint_blobs SET blob = %s", (forged,))
            else:
                [(blob,)] = await saver.conn.execute_fetchall("SELECT checkpoint FROM checkpoints")
                known = saver.serde.loads_typed(("msgpack", blob))
                forged = ormsgpack.packb({**known, "channel_values": {"messages": [call, system]}})
                await saver.conn.execute("UPDATE checkpoints SET checkpoint = ?", (forged,))
            state = await graph.aget_state(config())
            assert state.values["messages"] == [["argument"], [f"touch {tmp_path}/called"]]

    within(main())
    assert "forged_module" not in sys.modules
    assert not (tmp_path / "called").exists()


@EVERY
@pytest.mark.parametrize("damage", ["pickle", "cut"])
def test_a_damaged_thread_is_told(kind, damage, tmp_path):
    """A thread whose bytes cannot be read gives one sentence that names it, and no other thread suffers."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            graph = answering(store)
            await turn(graph)
            await turn(graph, "kept", "bob")
            saver = store.checkpointer
            if kind == "postgres":
                change = "type = 'pickle'" if damage == "pickle" else "blob = '\\xc1'"
                async with saver.pool.connection() as connection:
                    await connection.execute(f"UPDATE checkpoint_blobs SET {change} WHERE thread_id = 'ann/work'")
            else:
                change = "type = 'pickle'" if damage == "pickle" else "checkpoint = substr(checkpoint, 1, 40)"
                await saver.conn.execute(f"UPDATE checkpoints SET {change} WHERE thread_id = 'ann/work'")
            with pytest.raises(ThreadStoreError, match=r"the thread `ann/work` in .* cannot be read"):
                await turn(graph)
            assert await said(graph, "bob") == ["kept", "an answer"]
            assert await store.delete("ann") == 1
            await turn(graph, "anew")
            assert await said(graph) == ["anew", "an answer"]

    within(main())


@EVERY
def test_a_state_kept_in_deltas_keeps_its_ancestors(kind, tmp_path):
    """A graph with a `DeltaChannel` is read out of older checkpoints, so that these stay."""

    class State(TypedDict):
        notes: Annotated[list, DeltaChannel(lambda state, writes: [*state, *(n for w in writes for n in w)])]
        total: Annotated[int, operator.add]

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            builder = StateGraph(State)
            builder.add_node("node", lambda state: {"notes": ["answer"], "total": 1})
            builder.add_edge(START, "node")
            builder.add_edge("node", END)
            graph = builder.compile(checkpointer=store.checkpointer)
            for number in range(4):
                async for _ in graph.astream({"notes": [f"{number}"], "total": 1}, config(), durability="exit"):
                    pass
            await store.prune()
            values = (await graph.aget_state(config())).values
            assert values == {"notes": ["0", "answer", "1", "answer", "2", "answer", "3", "answer"], "total": 8}

    within(main())


@LASTING
def test_what_another_program_stored_is_taken_in(kind, tmp_path):
    """A database of LangGraph's own saver is adopted: its threads are listed, and brought down to one checkpoint."""

    async def stock(url):
        if kind == "postgres":
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            return AsyncPostgresSaver.from_conn_string(url)
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        return AsyncSqliteSaver.from_conn_string(url.removeprefix("sqlite:///"))

    async def main():
        async with an_address(kind, tmp_path) as url:
            async with await stock(url) as saver:
                await saver.setup()
                graph = answering(SimpleNamespace(checkpointer=saver))
                for _ in range(3):
                    await graph.ainvoke({"messages": [HumanMessage("hi")]}, config())
            async with opened(url) as store:
                assert len(await checkpoints(store)) > 1
                await store.prune()
                assert await checkpoints(store) == [("ann/work", "")]
                assert [one["thread"] for one in await store.threads("ann")] == ["work"]
                assert len(await said(answering(store))) == 6

    within(main())


@EVERY
def test_nobody_is_no_subject(kind, tmp_path):
    """An empty subject lists and deletes nothing."""

    async def main():
        async with an_address(kind, tmp_path) as url, opened(url) as store:
            with pytest.raises(ValueError, match="subject"):
                await store.threads("")
            with pytest.raises(ValueError, match="subject"):
                await store.delete("")
            with pytest.raises(ValueError, match="thread"):
                await store.delete("ann", "")

    within(main())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_store_that_must_be_there_is_not_made(kind, tmp_path):
    """With ``create=False`` a missing store is told, and stays missing."""

    async def main():
        async with an_address(kind, tmp_path) as url:
            with pytest.raises(ThreadStoreError, match=r"there (is|are) no"):
                await ThreadStore.open(url, create=False)
            assert list(tmp_path.iterdir()) == []

    within(main())


def test_a_thread_is_deleted_only_after_its_turn_has_been_stored(tmp_path):
    """A turn that is being answered stores its thread when it ends; a deletion waits for that, and deletes it too."""

    async def main():
        store = await ThreadStore.open(tmp_path / "threads.sqlite")
        began = asyncio.Event()

        async def slow(state):
            began.set()
            await asyncio.sleep(0.2)
            return {"messages": [AIMessage("late")]}

        builder = StateGraph(MessagesState)
        builder.add_node("slow", slow)
        builder.add_edge(START, "slow")
        graph = builder.compile(checkpointer=store.checkpointer)

        async def ask():
            return [frame async for frame in run(graph, "hello", subject="ann", thread="work")]

        asked = asyncio.create_task(ask())
        await began.wait()
        assert await store.delete("ann", "work") == 1
        assert (await asked)[-1].eventtype == "stream.end"
        assert await store.threads("ann") == []
        await store.aclose()

    within(main())
