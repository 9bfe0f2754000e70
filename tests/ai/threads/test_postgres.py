"""Threads in a real Postgres database: lost connections, servers that are away or mute, rights, several at once."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psycopg
import pytest

from gsws.ai import ThreadStore
from gsws.ai.threads import ThreadStoreError, postgres, postgres_saver
from tests.ai.threads.support import (
    SERVER,
    a_schema,
    answering,
    asking,
    checkpoints,
    opened,
    postgres_missing,
    said,
    turn,
    within,
)

ADMIN = f"postgresql://postgres@{SERVER}/test"
WAIT = 20.0


class Proxy:
    """A way to the server that can be cut, or made to swallow everything."""

    def __init__(self) -> None:
        self.is_mute = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Proxy:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse connections, and drop those that are there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = SERVER.partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not self.is_mute:
                    writer.write(data)
        writer.transport.abort()
        self._writers.discard(writer)


@contextlib.asynccontextmanager
async def through_a_proxy():
    async with a_schema() as url, Proxy() as proxy:
        yield proxy, url.replace(SERVER, f"127.0.0.1:{proxy.port}")


def test_connections_that_the_server_ended_are_replaced():
    """After every connection was terminated, as by a restart, the next turn works, also one that is under way."""

    async def end(url):
        name = url.rpartition("=")[2]
        async with await psycopg.AsyncConnection.connect(ADMIN, autocommit=True) as connection:
            sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
            [ended] = await (await connection.execute(sql, (name,))).fetchone()
            assert ended >= 1

    async def main():
        async with a_schema() as url, opened(url) as store:
            await turn(answering(store), "before")
            await end(url)
            await turn(answering(store), "after")
            seen = []
            graph = answering(store)
            from langchain_core.messages import HumanMessage

            from tests.ai.threads.support import config

            given = {"messages": [HumanMessage("during")]}
            async for part in graph.astream(given, config(), durability="exit"):
                seen.append(part)
                await end(url)
            assert seen
            assert (await said(graph))[::2] == ["before", "after", "during"]

    within(main())


def test_a_server_that_is_away_is_told_and_comes_back(monkeypatch):
    """Turns fail with a sentence within the deadline while nothing answers, and work again when it does."""
    monkeypatch.setattr(postgres_saver, "_DEADLINE", 1.0)

    async def main():
        async with through_a_proxy() as (proxy, url), opened(url) as store:
            await turn(answering(store), "before")
            await proxy.cut()
            began = time.monotonic()
            with pytest.raises(ThreadStoreError, match=r"does not answer|cannot be used"):
                await turn(answering(store), "meanwhile")
            assert time.monotonic() - began < WAIT
            with pytest.raises(ThreadStoreError):
                await store.threads("ann")
            await proxy.listen()
            async with asyncio.timeout(WAIT):
                while True:
                    with contextlib.suppress(ThreadStoreError):
                        await turn(answering(store), "after")
                        break
                    await asyncio.sleep(0.1)
            assert (await said(answering(store)))[::2] == ["before", "after"]

    within(main())


def test_a_server_that_is_mute_is_told(monkeypatch):
    """A network that swallows packets costs a turn its deadline, no more; closing ends as well."""
    monkeypatch.setattr(postgres_saver, "_DEADLINE", 1.0)

    async def main():
        async with through_a_proxy() as (proxy, url):
            store = await ThreadStore.open(url)
            await turn(answering(store), "before")
            proxy.is_mute = True
            began = time.monotonic()
            with pytest.raises(ThreadStoreError, match=r"`postgresql://127.0.0.1:\d+/test` does not answer"):
                await turn(answering(store), "meanwhile")
            await store.aclose()
            assert time.monotonic() - began < WAIT

    within(main())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://postgres:geheim@127.0.0.1:1/test", "Connection refused"),
        (f"postgresql://postgres:geheim@{SERVER}/nowhere", 'database "nowhere" does not exist'),
        (f"postgresql://nobody_here:geheim@{SERVER}/test", 'role "nobody_here" does not exist'),
        ("postgresql://postgres:geheim@127.0.0.1:1/test?nonsense=geheim", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_at_the_start(url, reason):
    """The sentence has the reason and no password."""
    if (missing := postgres_missing()) is not None:
        pytest.skip(missing)

    async def main():
        with pytest.raises(ThreadStoreError) as caught:
            await ThreadStore.open(url)
        assert reason in str(caught.value)
        assert "geheim" not in str(caught.value)
        assert "database of threads `postgresql://127.0.0.1:" in str(caught.value)

    within(main())


def test_many_processes_may_start_at_once():
    """The tables are made once, whoever comes first."""

    async def main():
        async with a_schema() as url:
            stores = await asyncio.gather(*(ThreadStore.open(url) for _ in range(6)))
            for number, store in enumerate(stores):
                await turn(answering(store), f"{number}")
            assert (await said(answering(stores[0])))[::2] == [f"{number}" for number in range(6)]
            await asyncio.gather(*(store.aclose() for store in stores))

    within(main())


def test_a_user_who_may_not_make_tables_may_use_them():
    """A service runs with rights on the rows alone, once an operator has made the tables."""

    async def main():
        async with (
            a_schema() as url,
            await psycopg.AsyncConnection.connect(ADMIN, autocommit=True) as admin,
        ):
            schema = url.rpartition("=")[2]
            role = f"{schema}_user"
            await admin.execute(f"CREATE ROLE {role} LOGIN")
            try:
                await admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
                limited = url.replace("postgres@", f"{role}@")
                with pytest.raises(ThreadStoreError, match="permission denied"):
                    await ThreadStore.open(limited)
                async with opened(url):
                    pass
                rights = "SELECT, INSERT, UPDATE, DELETE"
                await admin.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {role}")
                async with opened(limited, keep=5) as store:
                    await turn(asking(store))
                    await turn(answering(store))
                    await store.prune()
                    assert [one["messages"] for one in await store.threads("ann")] == [3]
                    assert await store.delete("ann") == 1
                    assert await checkpoints(store) == []
            finally:
                await admin.execute(f"DROP OWNED BY {role}")
                await admin.execute(f"DROP ROLE {role}")

    within(main())


def test_the_bound_of_connections_is_waited_for(monkeypatch):
    """More turns at once than connections share them."""
    monkeypatch.setattr(postgres, "_CONNECTIONS", 2)

    async def main():
        async with a_schema() as url, opened(url) as store:
            graph = answering(store)
            await asyncio.gather(*(turn(graph, "hi", f"user{number}") for number in range(25)))
            assert len(await store.subjects()) == 25

    within(main())
