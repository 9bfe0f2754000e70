"""
Repeated requests: a message with the ``meta.idempotency_key`` of an earlier one gets that one's terminal frame (P5.4).

Only results of a handler are remembered. A request that ended without one, because it was cancelled, left by its
client, superseded, refused, timed out, drained, or failed in a way that may pass, leaves its key to the next that
waits for it, or to nobody. Kept by event source and subject, bounded by subject first and then in total; what is
forgotten runs again. Who asks is authorised before (`gsws.runtime.requests.execution`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from gsws.protocol.answer import Answer, SilentAnswer
from gsws.protocol.errors import ERROR_HEAD
from gsws.routing.table import Route
from gsws.runtime.shares import Shares
from gsws.types import GSActor

__all__ = ["KEY_LENGTH", "IdempotencyCache", "Key", "Keyed", "digest_of", "key_of"]

KEY_LENGTH: Final = 255

Subject: TypeAlias = tuple[bool, str]
"""``(whether it is proved, subject)``"""

Key: TypeAlias = tuple[Subject, str, str]
"""``(subject, event key, idempotency key)``"""

_OF_ONE: Final = 4 * 2**20
_TOTAL: Final = 64 * 2**20
_COST: Final = 1024
"""Bytes that a key counts as, beside its answer: what it takes with its containers, rounded up."""

_NOT_SAID: Final = frozenset({"id", "seq", "meta"})

_WAITING_OF_ONE: Final = 256
_MAX_AGE: Final = 600.0


class Keyed(Protocol):
    """
    A request that carries a key, as far as repetitions look at it.

    Attributes:
        idempotency: The key, until it has ended.
        digest: A hash of what its message says.
        deadline: Loop time at which it times out, or None.
        aborted: Why it was ended from outside, or None.
        last: Its terminal frame.
    """

    route: Route
    answer: Answer
    idempotency: Key | None
    digest: bytes
    deadline: float | None
    aborted: str | None
    last: bytes | None


def key_of(actor: GSActor, event: str, written: object) -> Key | None:
    """The key that a request is known by to repetitions of it; None if what it says is no key."""
    if not isinstance(written, str) or not 1 <= len(written) <= KEY_LENGTH:
        return None
    return (actor.authenticated, actor.subject), event, written


def digest_of(data: bytes, *, whole: bool) -> bytes:
    """
    A hash of what a message says: equal for equal content, whatever way its numbers are written.

    Read from the message once more, for the number that a float stands for is not known: `1e40` is no power of ten.

    Args:
        data: The message, which was decoded before.
        whole: Whether all of it is compared, without ``id``, ``seq`` and ``meta``, or only its payload.
    """
    message = _read_exactly(data)
    said = {key: message[key] for key in message.keys() - _NOT_SAID} if whole else message.get("payload")
    text = json.dumps(_plain(said), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Entry:
    """
    One key.

    ``first`` is who runs for it and ``waiting`` who waits for that one, in order; once there is a result, ``first`` is
    None and ``frame`` its terminal frame.
    """

    __slots__ = ("digest", "ended_at", "first", "frame", "waiting")

    def __init__(self, digest: bytes, first: Keyed) -> None:
        self.digest = digest
        self.first: Keyed | None = first
        self.frame = b""
        self.ended_at = 0.0
        self.waiting: deque[tuple[Keyed, asyncio.Future[bytes | None]]] = deque()


class IdempotencyCache:
    """
    The terminal frames of one source's requests that carried a key.

    Args:
        now: The loop's clock.
        of_one: Bytes that one subject's keys may take, those that run included.
        total: Bytes that all may take together; the subject with most gives way first.
    """

    __slots__ = ("_ended", "_now", "_of_one", "_running", "_shares", "_total", "_waiting")

    def __init__(self, now: Callable[[], float], of_one: int = _OF_ONE, total: int = _TOTAL) -> None:
        self._now = now
        self._of_one = of_one
        self._total = total
        self._running: dict[Key, _Entry] = {}
        self._ended: dict[Subject, OrderedDict[Key, _Entry]] = {}
        self._shares: Shares[Subject] = Shares()
        self._waiting: Shares[Subject] = Shares()

    def is_running(self, key: Key) -> bool:
        """Whether a request with this key runs now."""
        return key in self._running

    async def repeat(self, request: Keyed) -> tuple[bool, bytes | None]:
        """
        Tell what becomes of a request with a key; one whose first still runs waits for its end.

        Returns:
            Whether the request is answered, and its terminal frame (None for one that is not sent). If it is not, it
            is the first now: it is to be run, and `ended` to be called at its end.
        """
        key = request.idempotency
        assert key is not None
        now = self._now()
        digest = request.digest
        entry = self._running.get(key) or self._remembered(key, now)
        if entry is None:
            if not self._make_room(key[0]):
                return True, _refusal(request)
            self._running[key] = _Entry(digest, request)
            self._shares.add(key[0], _COST)
            _keep(request)
            return False, None
        if entry.digest != digest:
            text = "this `meta.idempotency_key` came with another payload before"
            where = {"pointer": "/meta/idempotency_key", "keyword": "idempotency_key", "message": text}
            return True, request.answer.error("schema_violation", text, errors=[where], code=422)
        if entry.first is None:
            return True, request.answer.repeat(entry.frame)
        if self._waiting.of(key[0]) >= _WAITING_OF_ONE:
            return True, _refusal(request)
        last = await self._wait(key[0], entry, request)
        if last is None:
            _keep(request)
            return False, None
        return True, request.answer.repeat(last)

    def ended(self, request: Keyed) -> None:
        """A request with a key has its terminal frame, or will have none; who waited gets that frame, or a turn."""
        key, request.idempotency = request.idempotency, None
        assert key is not None
        entry = self._running.get(key)
        if entry is None or entry.first is not request:
            return
        frame = _result(request)
        if frame is None:
            self._pass_on(key, entry)
            return
        del self._running[key]
        for _, turn in entry.waiting:
            if not turn.done():
                turn.set_result(frame)
        entry.waiting.clear()
        entry.first, entry.frame, entry.ended_at = None, frame, self._now()
        self._ended.setdefault(key[0], OrderedDict())[key] = entry
        self._shares.add(key[0], len(frame))
        self._make_room(key[0], 0)

    async def _wait(self, subject: Subject, entry: _Entry, request: Keyed) -> bytes | None:
        """Wait for the first one's terminal frame; None when it is this one's turn to run."""
        turn: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        place = request, turn
        entry.waiting.append(place)
        self._waiting.add(subject, 1)
        timeout, request.deadline = request.route.timeout, None
        try:
            last = await turn
        finally:
            self._waiting.add(subject, -1)
            if place in entry.waiting:
                entry.waiting.remove(place)
        if timeout is not None:
            # What it waited for was the other one's time.
            request.deadline = self._now() + timeout
        return last

    def _pass_on(self, key: Key, entry: _Entry) -> None:
        """The first one ended without a result: the next that waits takes its place."""
        while entry.waiting:
            request, turn = entry.waiting.popleft()
            if request.aborted is None and not turn.done():
                entry.first = request
                turn.set_result(None)
                return
        del self._running[key]
        self._shares.add(key[0], -_COST)

    # The bounds.

    def _remembered(self, key: Key, now: float) -> _Entry | None:
        ended = self._ended.get(key[0])
        entry = None if ended is None else ended.get(key)
        if entry is not None and now - entry.ended_at > _MAX_AGE:
            self._forget(key)
            return None
        return entry

    def _make_room(self, subject: Subject, size: int = _COST) -> bool:
        """Forget until there is room for so much more of a subject; False if all there is still runs."""
        while self._shares.of(subject) + size > self._of_one:
            if not self._forget_oldest(subject):
                return False
        while self._shares.total + size > self._total:
            largest = self._shares.largest()
            if largest is None or not self._forget_oldest(largest):
                return False
        return True

    def _forget_oldest(self, subject: Subject) -> bool:
        ended = self._ended.get(subject)
        if ended is None:
            return False
        self._forget(next(iter(ended)))
        return True

    def _forget(self, key: Key) -> None:
        ended = self._ended[key[0]]
        entry = ended.pop(key)
        if not ended:
            del self._ended[key[0]]
        self._shares.add(key[0], -_COST - len(entry.frame))


def _result(request: Keyed) -> bytes | None:
    """The terminal frame that is a result of the request's handler; None if it ended without one."""
    if request.aborted is not None:
        return None
    last = request.answer.kept if isinstance(request.answer, SilentAnswer) else request.last
    if last is None:
        return None
    return None if last.startswith(ERROR_HEAD) and _read_error(last).payload.retryable else last


def _keep(request: Keyed) -> None:
    """A request without an id runs for a key: what it is not sent is kept for who repeats it with one."""
    if request.answer.id is None:
        request.answer = SilentAnswer()


def _refusal(request: Keyed) -> bytes | None:
    text = "too many requests with an idempotency key are running or waiting"
    return request.answer.error("too_many_requests", text, retry_after_ms=1000)


class _ErrorPayload(msgspec.Struct):
    retryable: Any = False


class _Error(msgspec.Struct):
    """The part of a ``stream.error`` that is read back."""

    payload: _ErrorPayload


_read_error = msgspec.json.Decoder(_Error).decode


def _plain(value: Any) -> Any:
    """The same content with one way to write a number, told from texts by its first letter."""
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool) else _number(value)


def _number(value: int | Decimal) -> str:
    """A number as its sign, its digits without zeros at either end, and the power of ten that goes with them."""
    sign, digits, exponent = Decimal(value).as_tuple()
    written = "".join(map(str, digits)).lstrip("0")
    significant = written.rstrip("0")
    if not significant:
        return "n0"
    assert isinstance(exponent, int), "JSON has no infinities"
    return f"n{'-' * sign}{significant}e{exponent + len(written) - len(significant)}"


def _fraction(text: str) -> Decimal:
    """Read a number exactly; one whose exponent is beyond all bounds is, as for everybody else, nothing."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(float(text))


_read_exactly = msgspec.json.Decoder(float_hook=_fraction).decode
