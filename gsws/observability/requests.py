"""
A line for each request: dim ones for the person at the terminal, access lines for programs.

Never in a line: payloads, headers, queries, tokens, texts of exceptions.
"""

from __future__ import annotations

import asyncio
import random
import time
import unicodedata
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

import orjson

from gsws.diagnostics.suggest import nearest
from gsws.protocol.errors import ERROR_HEAD, ERRORS, error_name

if TYPE_CHECKING:
    from gsws.project.specs import AccessSpec
    from gsws.runtime.requests.observer import Caller, Observed

__all__ = ["AccessLines", "RequestLines"]

_A_SECOND: Final = 20
"""Lines for a person in one second."""

_LONGEST: Final = 100
"""Characters of a name that a client chose."""


class RequestLines:
    """
    Lines such as ``12:03:04 ok websocket.greet 1.2 ms ann``, at most twenty a second.

    Args:
        write: Takes a line with its end; must not wait.
        dim: Whether to write them dimmed.
    """

    def __init__(self, write: Callable[[str], object], *, dim: bool) -> None:
        self._write = write
        self._dim = dim
        self._quota = _Quota(_A_SECOND, lambda count: self._put(f"… {count:,} more in 1 s"))

    def ended(self, request: Observed) -> None:
        if not self._quota.has_room():
            return
        outcome, error = _outcome(request)
        parts = [error or outcome, request.route.key]
        if request.begun is not None:
            parts.append(_shown(time.perf_counter() - request.begun))
        parts.append(_plain(request.actor.subject))
        chunks = request.answer.chunks
        if request.answer.started:
            first = getattr(request, "first", None)
            after = f", first after {_shown(first - request.begun)}" if first and request.begun is not None else ""
            parts.append(f"{chunks} chunk{'' if chunks == 1 else 's'}{after}")
        self._say(" ".join(parts))

    def refused(self, caller: Caller, source: str, known: Collection[str], event: str | None, error: str) -> None:
        if not self._quota.has_room():
            return
        line = " ".join((error, *([] if event is None else [_plain(event)]), _plain(caller.actor.subject)))
        if error == "unknown_event" and event is not None and (near := nearest(event[:_LONGEST], known)):
            line += f", did you mean {near[0]}?"
        self._say(line)

    def _say(self, line: str) -> None:
        self._put(f"{time.strftime('%H:%M:%S')} {line}")

    def _put(self, line: str) -> None:
        self._write(f"\x1b[2m{line}\x1b[0m\n" if self._dim else f"{line}\n")


class AccessLines:
    """
    One JSON object a request, ``"event": "request"``: failures, slow ones, and a share of the rest.

    Args:
        spec: Which requests have one.
        write: Takes the line of one with its end; must not wait.
    """

    def __init__(self, spec: AccessSpec, write: Callable[[str], object]) -> None:
        self._spec = spec
        self._write = write
        self._quota = _Quota(spec.rate, self._left_out)

    def ended(self, request: Observed) -> None:
        outcome, error = _outcome(request)
        begun = request.begun
        seconds = 0.0 if begun is None else time.perf_counter() - begun
        is_wanted = (self._spec.failures and error is not None) or seconds >= self._spec.slow
        if not is_wanted and random.random() >= self._spec.requests:  # noqa: S311  # a sample
            return
        if not self._quota.has_room():
            return
        facts: dict[str, Any] = {
            "source": request.route.source,
            "event_key": request.route.key,
            "outcome": outcome,
            "duration_ms": round(seconds * 1000, 3),
            "queue_ms": 0.0 if begun is None else round((getattr(request, "started", begun) - begun) * 1000, 3),
            "bytes_in": request.size,
            "bytes_out": getattr(request.answer, "bytes", len(request.last or b"")),
            "request": request.request_id,
        }
        if error is not None:
            facts |= {"error": error, "code": _code(request.last, error)}
        if request.answer.started:
            facts["chunks"] = request.answer.chunks
            first = getattr(request, "first", None)
            if first is not None and begun is not None:
                facts["first_chunk_ms"] = round((first - begun) * 1000, 3)
        self._say(facts, request.outlet)

    def refused(self, caller: Caller, source: str, known: Collection[str], event: str | None, error: str) -> None:
        # What is no event of ours has no line: its name is whatever somebody sent.
        if event is None or event not in known or not self._spec.failures or not self._quota.has_room():
            return
        facts = {"source": source, "event_key": event, "outcome": "refused", "error": error}
        self._say({**facts, "code": _code(None, error)}, caller)

    def _say(self, facts: dict[str, Any], caller: Caller) -> None:
        actor = caller.actor
        facts |= {"connection": caller.connection.id, "client": caller.label, "peer": caller.connection.host}
        if actor.authenticated:
            facts["subject"] = actor.subject
        if caller.session_id is not None:
            facts["session"] = caller.session_id
        self._put("info", "request", facts)

    def _left_out(self, count: int) -> None:
        self._put("warning", "access lines left out", {"count": count})

    def _put(self, level: str, event: str, facts: dict[str, Any]) -> None:
        from gsws.observability.writer import stamp

        line = {"timestamp": stamp(), "level": level, "event": event, **facts}
        self._write(orjson.dumps(line, default=str).decode() + "\n")


class _Quota:
    """So many a second; how many there were more is told at the end of it."""

    def __init__(self, most: int, tell: Callable[[int], object]) -> None:
        self._most = most
        self._tell = tell
        self._second = float("-inf")
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self) -> bool:
        now = time.monotonic()
        if now - self._second >= 1.0 and self._timer is None:
            self._second, self._count = now, 0
        self._count += 1
        if self._count <= self._most:
            return True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._second + 1.0 - now), self._over)
        return False

    def _over(self) -> None:
        self._timer = None
        count, self._count = self._count - self._most, 0
        self._second = time.monotonic()
        self._tell(count)


def _outcome(request: Observed) -> tuple[str, str | None]:
    """``ok``, ``failed`` (a status), ``error`` or why it was ended; and the name of the error, if it is one."""
    last = request.last
    error = error_name(last) if last is not None and last.startswith(ERROR_HEAD) else None
    if request.aborted is not None:
        return request.aborted, error or request.aborted
    if error is None:
        return "ok", None
    return ("error" if error in ERRORS and error != "failed" else "failed"), error


def _code(last: bytes | None, error: str) -> int | None:
    if last is not None:
        code = orjson.loads(last)["payload"].get("code")
        return code if isinstance(code, int) else None
    return ERRORS[error].code if error in ERRORS else None


def _shown(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"


def _plain(text: str) -> str:
    """A name that somebody chose, as far as it may be shown: it must not steer a terminal."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(
        character if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "�"
        for character in short
    )
