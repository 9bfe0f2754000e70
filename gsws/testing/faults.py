"""What a network does to a connection, as values: scripted ones, and random ones from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["Direction", "Fault", "FaultKind", "random_faults"]

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
