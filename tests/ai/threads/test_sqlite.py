"""Threads in a file: bounded, durable, shared, and gone when they are deleted."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from langgraph.types import Command

from gsws.ai.threads import ThreadStoreError, sqlite_file
from tests.ai.threads.support import answering, asking, checkpoints, config, opened, said, turn, within


def bytes_of(path) -> bytes:
    """Everything that is on disk of a store."""
    return b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def test_a_file_grows_with_what_is_said_and_no_more(tmp_path):
    """After 60 turns a thread takes little more than its text; LangGraph's defaults take 30 times as much."""
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            graph = answering(store, "a" * 2000)
            for number in range(60):
                await turn(graph, f"{number}")

    within(main())
    assert 60 * 2000 < len(bytes_of(path)) < 60 * 2000 * 3


def test_deleted_text_leaves_the_file(tmp_path):
    """While the store is open, no byte of a deleted conversation is left: not in free pages, not in the log."""
    path = tmp_path / "threads.sqlite"
    secret, question = "the key is under the mat", "where is the key?"

    async def main():
        async with opened(path) as store:
            for thread in ("one", "two"):
                for _ in range(3):
                    await turn(answering(store, secret + "." * 9000), question, "ann", thread)
            await turn(asking(store), question, "ann", "three")
            await turn(answering(store, "nothing"), "hello", "bob")
            assert secret.encode() in bytes_of(path)
            assert question.encode() in bytes_of(path)
            before = len(bytes_of(path))
            await store.delete("ann")
            assert secret.encode() not in bytes_of(path)
            assert question.encode() not in bytes_of(path)
            assert len(bytes_of(path)) < before
            assert await said(answering(store), "bob") == ["hello", "nothing"]

    within(main())


def test_a_file_gets_smaller(tmp_path):
    """What was deleted is given back to the disk."""
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            for number in range(10):
                await turn(answering(store, "x" * 100_000), "hi", "ann", f"{number}")
            await store.prune()
            before = path.stat().st_size
            await store.delete("ann")
            assert before > 1_000_000
            assert path.stat().st_size < 100_000

    within(main())


def test_expired_text_leaves_the_file(tmp_path):
    """Expiry is no softer than deletion."""
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            await turn(answering(store, "long forgotten"))
            assert await store.expire(-60) == 1
            assert b"long forgotten" not in bytes_of(path)

    within(main())


KILLED = """
import asyncio, os, signal, sys
from tests.ai.threads.support import answering, asking, opened, turn
async def main():
    async with opened(sys.argv[1]) as store:
        await turn(asking(store), "do it", thread="asked")
        for number in range(1000):
            await turn(answering(store), f"{number}")
            print(number, flush=True)
asyncio.run(main())
"""


def test_a_killed_process_loses_no_finished_turn(tmp_path):
    """After kill -9 in the middle of writing, every turn that had ended is there, and the question that waits."""
    path = tmp_path / "threads.sqlite"
    with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(25)]
        process.send_signal(signal.SIGKILL)
        rest = process.communicate(timeout=30)[0].splitlines()
    finished = int([*lines, *(line for line in rest if line.strip())][-1])

    async def main():
        async with opened(path) as store:
            texts = (await said(answering(store)))[::2]
            assert texts[: finished + 1] == [f"{number}" for number in range(finished + 1)]
            assert len(texts) <= finished + 2
            await turn(answering(store), "again")
            asked = asking(store)
            [waiting] = (await asked.aget_state(config(thread="asked"))).interrupts
            await turn(asked, Command(resume={waiting.id: "yes"}), thread="asked")
            assert (await said(asked, thread="asked"))[1] == "told yes"
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    within(main())


def test_a_full_disk_is_told_and_passes(tmp_path):
    """A turn that cannot be stored says so; the thread before it stays, nothing is locked, and later turns work."""
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            await turn(answering(store), "before")
            connection = store.checkpointer.conn
            [(pages,)] = await connection.execute_fetchall("PRAGMA page_count")
            await connection.execute_fetchall(f"PRAGMA max_page_count = {pages}")
            for _ in range(2):
                with pytest.raises(ThreadStoreError) as caught:
                    await turn(answering(store, "x" * 100_000), "too much")
                assert str(caught.value) == f"the file of threads `{path}` cannot be written: the disk is full"
            with closing(sqlite3.connect(path, timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
            assert await said(answering(store)) == ["before", "an answer"]
            await connection.execute_fetchall("PRAGMA max_page_count = 1000000")
            await turn(answering(store), "after")
            assert await said(answering(store)) == ["before", "an answer", "after", "an answer"]

    within(main())


def test_a_write_that_fails_half_way_is_undone(tmp_path):
    """Of a turn whose second statement fails nothing is stored, and no lock is left behind."""
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            await turn(answering(store), "before")
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
                other.execute("ALTER TABLE gsws_threads RENAME TO away")
                with pytest.raises(ThreadStoreError, match="no such table: gsws_threads"):
                    await turn(answering(store), "lost")
                assert await said(answering(store)) == ["before", "an answer"]
                other.execute("ALTER TABLE away RENAME TO gsws_threads")
            await turn(answering(store), "after")
            assert (await said(answering(store)))[::2] == ["before", "after"]

    within(main())


def test_a_file_that_another_process_holds_is_told(tmp_path, monkeypatch):
    """A writer that does not let go costs a turn a bounded wait and a sentence, not the loop, and not the next turn."""
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            await turn(answering(store), "before")
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                running = asyncio.create_task(turn(answering(store), "meanwhile"))
                assert await said(answering(store)) == ["before", "an answer"]  # readers do not wait
                with pytest.raises(ThreadStoreError, match="is locked by another process"):
                    await running
                other.execute("ROLLBACK")
            await turn(answering(store), "after")
            assert (await said(answering(store)))[::2] == ["before", "after"]

    within(main())


def test_a_clock_that_is_set_back_loses_no_turn(tmp_path, monkeypatch):
    """Ids of checkpoints hold the time; the one stored last counts, not the one with the greatest id."""
    from langgraph.checkpoint.base import id as ids

    path = tmp_path / "threads.sqlite"

    async def main():
        async with opened(path) as store:
            await turn(answering(store), "today")
        real = ids.time.time_ns
        monkeypatch.setattr(ids, "_last_v6_timestamp", None)  # as after a restart
        monkeypatch.setattr(ids.time, "time_ns", lambda: real() - 86_400 * 10**9)
        async with opened(path) as store:
            await turn(answering(store), "yesterday")
            assert (await said(answering(store)))[::2] == ["today", "yesterday"]
            assert await checkpoints(store) == [("ann/work", "")]

    within(main())


def test_a_closed_store_says_so(tmp_path):
    """A turn that outlives its store fails with a sentence."""

    async def main():
        async with opened(tmp_path / "threads.sqlite") as store:
            graph = answering(store)
            await turn(graph)
        with pytest.raises(ThreadStoreError, match="is closed"):
            await turn(graph)
        with pytest.raises(ThreadStoreError, match="is closed"):
            await store.threads("ann")

    within(main())


def test_a_program_that_forgets_to_close_ends(tmp_path):
    """An open store holds up nobody's exit."""
    code = (
        "import asyncio, sys\n"
        "from tests.ai.threads.support import answering, turn\n"
        "from gsws.ai import ThreadStore\n"
        "async def main(): await turn(answering(await ThreadStore.open(sys.argv[1])))\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "threads.sqlite"], timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "threads.sqlite" in os.listdir(tmp_path)
