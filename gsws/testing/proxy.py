"""
A TCP proxy that breaks connections: what, where and when is told by `Fault`s, scripted or drawn from a seed.

It knows bytes only, so that a fault falls within a frame, a handshake or a UTF-8 sequence as it may.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from gsws.testing.background import LoopThread

__all__ = ["Direction", "Fault", "FaultKind", "FaultProxy", "random_faults"]

FaultKind: TypeAlias = Literal["cut", "reset", "truncate", "half-open", "delay", "throttle"]

Direction: TypeAlias = Literal["down", "up"]
"""``down`` is from server to client, ``up`` from client to server."""

_HOLD: Final = 30.0
"""Seconds after which a half-open connection is cut if the fault says nothing else."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that happens to one connection, once so many bytes of one direction have passed.

    Attributes:
        kind: ``cut`` ends both directions (FIN); ``reset`` does it with RST; ``truncate`` ends this direction and
            lets the other go on; ``half-open`` forwards nothing more, either way, and tells nobody; ``delay`` holds
            this direction for `seconds`; ``throttle`` lets `rate` bytes a second pass from here on.
        after: Bytes that pass before it strikes, the handshake's included; any byte of a frame can be the last.
        direction: Whose bytes are counted.
        seconds: How long a delay is; after how long a half-open connection is cut at last.
        rate: Bytes a second.
    """

    kind: FaultKind
    after: int = 0
    direction: Direction = "down"
    seconds: float = _HOLD
    rate: int = 1024


def random_faults(generator: random.Random) -> tuple[Fault, ...]:
    """
    Draw what happens to one connection: one fault that ends it, and sometimes a delay or a throttle before.

    Where it strikes is spread evenly over magnitudes: as often within the handshake as within a long stream.
    """
    faults: list[Fault] = []
    if generator.random() < 0.2:
        faults.append(
            Fault("delay", _position(generator), _direction(generator), seconds=generator.uniform(0.001, 0.1))
        )
    if generator.random() < 0.1:
        faults.append(
            Fault("throttle", _position(generator), _direction(generator), rate=generator.randint(10_000, 100_000))
        )
    kinds: tuple[FaultKind, ...] = ("cut", "cut", "reset", "truncate", "half-open")
    kind = generator.choice(kinds)
    seconds = generator.uniform(0.05, 0.5)
    faults.append(Fault(kind, _position(generator), _direction(generator), seconds=seconds))
    return tuple(faults)


def _position(generator: random.Random) -> int:
    return int(2 ** generator.uniform(0.0, 14.0)) - 1


def _direction(generator: random.Random) -> Direction:
    return "up" if generator.random() < 0.25 else "down"


_READ: Final = 65536
_DEADLINE: Final = 5.0
_SLICE: Final = 0.02
"""Seconds between two portions of a throttled direction."""


class FaultProxy:
    """
    Stands between clients and a served project, in a thread of its own; used as a context manager.

    Faults are for one connection each: those that were scripted go to the connections that follow, in order; with a
    seed, the connections after them draw theirs. The same seed draws the same for the n-th connection.

    Args:
        target_port: Where to forward to, on the loopback.
        seed: Makes faults random, and repeatable; None for scripted ones only.
        plan: Draws the faults of one connection.

    Attributes:
        connections: How many were taken.
        struck: The faults that came to pass, oldest first.
        refuses: Set it to drop new connections at once, as a server that is down does.
    """

    def __init__(
        self,
        target_port: int,
        seed: int | None = None,
        *,
        plan: Callable[[random.Random], Sequence[Fault]] = random_faults,
    ) -> None:
        self.connections = 0
        self.struck: list[Fault] = []
        self.refuses = False
        self.target_port = target_port
        self._seed = seed
        self._plan = plan
        self._scripts: deque[tuple[Fault, ...]] = deque()
        self._links: set[_Link] = set()
        self._thread = LoopThread("gsws fault proxy", self._serving)
        self._address: tuple[str, int] = ("127.0.0.1", 0)

    def __enter__(self) -> FaultProxy:
        self._thread.start(_DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop(_DEADLINE)

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect: ``project.client(address=proxy.address)``."""
        return self._address

    # Scripts: for the next connection that has none yet.

    def script(self, *faults: Fault) -> None:
        """Set what happens to one connection to come; called again, to the one after it. None at all is no fault."""
        self._scripts.append(faults)

    def cut_after(self, count: int, direction: Direction = "down") -> None:
        """Cut a connection to come once so many bytes have passed."""
        self.script(Fault("cut", count, direction))

    def reset_after(self, count: int, direction: Direction = "down") -> None:
        """Reset it (RST) then."""
        self.script(Fault("reset", count, direction))

    def truncate_after(self, count: int, direction: Direction = "down") -> None:
        """End one direction of it then."""
        self.script(Fault("truncate", count, direction))

    def half_open_after(self, count: int, direction: Direction = "down", seconds: float = 30.0) -> None:
        """Forward nothing more then, and say nothing; cut it after so many seconds."""
        self.script(Fault("half-open", count, direction, seconds=seconds))

    def delay(self, seconds: float, after: int = 0, direction: Direction = "down") -> None:
        """Hold one direction of it for a while."""
        self.script(Fault("delay", after, direction, seconds=seconds))

    def throttle(self, rate: int, after: int = 0, direction: Direction = "down") -> None:
        """Let so many bytes a second pass in one direction of it."""
        self.script(Fault("throttle", after, direction, rate=rate))

    # What happens now, to every open connection.

    def cut(self) -> None:
        """Cut all connections."""
        self._each(lambda link: link.end(reset=False))

    def reset(self) -> None:
        """Reset all connections."""
        self._each(lambda link: link.end(reset=True))

    def half_open(self) -> None:
        """Forward nothing more on any connection, and tell nobody; they are cut when the proxy stops."""
        self._each(lambda link: link.freeze())

    # Private.

    def _each(self, act: Callable[[_Link], None]) -> None:
        done = threading.Event()

        def run() -> None:
            for link in tuple(self._links):
                act(link)
            done.set()

        self._thread.loop.call_soon_threadsafe(run)
        if not done.wait(_DEADLINE):
            raise TimeoutError("the proxy is stuck")

    def _faults(self) -> Sequence[Fault]:
        if self._scripts:
            return self._scripts.popleft()
        if self._seed is None:
            return ()
        return self._plan(random.Random(f"{self._seed}/{self.connections}"))  # noqa: S311  # to be repeatable

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, backlog=1024)
        host, port = server.sockets[0].getsockname()
        self._address = (host, port)
        yield
        server.close()
        for link in tuple(self._links):
            link.end(reset=True)
        running = [link.gone.wait() for link in self._links]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*running), _DEADLINE / 2)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            _reset(writer)
            return
        faults = self._faults()
        try:
            connecting = asyncio.open_connection("127.0.0.1", self.target_port)
            upstream, server = await asyncio.wait_for(connecting, _DEADLINE)
        except (OSError, TimeoutError):
            _reset(writer)
            return
        link = _Link(writer, server, self.struck)
        self._links.add(link)
        try:
            await link.run(reader, upstream, faults)
        finally:
            self._links.discard(link)
            link.gone.set()


class _Link:
    """One connection: two sockets and what is to happen to them."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, struck: list[Fault]) -> None:
        self._writers = {"down": client, "up": server}
        self._struck = struck
        self.gone = asyncio.Event()
        self._ended = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    async def run(self, client: asyncio.StreamReader, server: asyncio.StreamReader, faults: Sequence[Fault]) -> None:
        """Forward until it ends."""
        pumps = [
            asyncio.ensure_future(_Pump(self, direction, reader, faults).run())
            for direction, reader in (("down", server), ("up", client))
        ]
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            forwarding = asyncio.gather(*pumps, return_exceptions=True)
            waiting: set[asyncio.Future[Any]] = {forwarding, ending}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*pumps, ending):
                task.cancel()
            self.end(reset=False)

    def end(self, *, reset: bool) -> None:
        """End both directions."""
        if self._ended.is_set():
            return
        self._ended.set()
        for writer in self._writers.values():
            if reset:
                _reset(writer)
            else:
                writer.close()

    def freeze(self) -> None:
        """Forward nothing more."""
        self._open.clear()

    async def forward(self, direction: Direction, data: bytes) -> None:
        """Pass bytes on, unless nothing passes any more."""
        await self._open.wait()
        writer = self._writers[direction]
        writer.write(data)
        await writer.drain()

    async def strike(self, fault: Fault) -> None:
        """Let a fault come to pass; a throttle is the pump's."""
        self._struck.append(fault)
        if fault.kind in ("cut", "reset"):
            self.end(reset=fault.kind == "reset")
        elif fault.kind == "truncate":
            self.end_direction(fault.direction)
        elif fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "half-open":
            self.freeze()
            await asyncio.sleep(fault.seconds)
            self.end(reset=True)

    async def finish(self, direction: Direction) -> None:
        """The source of one direction has ended; nobody is told on a half-open connection."""
        await self._open.wait()
        self.end_direction(direction)

    def end_direction(self, direction: Direction) -> None:
        """Tell one side that nothing follows; the other direction goes on."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writers[direction].write_eof()


class _Pump:
    """One direction of a connection."""

    def __init__(self, link: _Link, direction: str, reader: asyncio.StreamReader, faults: Sequence[Fault]) -> None:
        self._link = link
        self._direction: Direction = "down" if direction == "down" else "up"
        self._reader = reader
        mine = [fault for fault in faults if fault.direction == direction]
        self._faults = deque(sorted(mine, key=lambda fault: fault.after))
        self._passed = 0
        self._rate = 0

    async def run(self) -> None:
        """Forward until the source ends, or a fault ends the direction."""
        with contextlib.suppress(OSError):
            while True:
                if await self._strikes():
                    return
                data = await self._reader.read(self._room())
                if not data:
                    break
                await self._link.forward(self._direction, data)
                self._passed += len(data)
                if self._rate:
                    await asyncio.sleep(len(data) / self._rate)
        await self._link.finish(self._direction)

    async def _strikes(self) -> bool:
        """Let the faults that are due come to pass; True if this direction has ended."""
        while self._faults and self._passed >= self._faults[0].after:
            fault = self._faults.popleft()
            if fault.kind == "throttle":
                self._rate = fault.rate
            await self._link.strike(fault)
            if fault.kind not in ("delay", "throttle"):
                return True
        return False

    def _room(self) -> int:
        """Bytes that may be read at once: up to the next fault, and little if throttled."""
        room = self._faults[0].after - self._passed if self._faults else _READ
        return max(1, min(room, _READ, int(self._rate * _SLICE) if self._rate else _READ))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: what is under way is lost."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
