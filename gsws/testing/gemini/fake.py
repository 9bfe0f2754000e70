"""
`FakeGemini`: the stand-in as tests hold it, with a thread of its own, its script and its records.

Sync and async tests alike use it; every wait has a deadline.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from gsws.testing.background import LoopThread
from gsws.testing.gemini.exchange import Responder
from gsws.testing.gemini.models import Models
from gsws.testing.gemini.request import Request
from gsws.testing.gemini.script import Answering, Script, Scripted, read_script
from gsws.testing.gemini.scripted import ScriptedResponder
from gsws.testing.gemini.server import Server

__all__ = ["KEY", "FakeGemini"]

KEY: Final = "fake-key"
"""The key that is good unless another is named."""

_DEADLINE: Final = 5.0


class FakeGemini:
    """
    A local stand-in of the Gemini REST API, used as a context manager.

    Unscripted it behaves plausibly: it calls the first function that is declared, then quotes what that gave.

    Args:
        turns: The script: turns, texts, or functions of a request, in the order of the requests.
        answer: Answers every request that has no scripted turn.
        script: A YAML file with the script.
        key: The key that is good; None takes every key.
        models: Names of the models that exist; None for all current ones.
        delay: Seconds before each token.
        strict: False accepts conversations that the real API refuses for the order of their turns.
        host: Where to listen.
        port: On which port; 0 takes a free one.
        keep: How many records are kept; the oldest are forgotten first.
        on_end: Called with each request when it has ended, on the server's thread.
    """

    def __init__(
        self,
        *turns: Scripted,
        answer: Answering | None = None,
        script: str | Path | None = None,
        key: str | None = KEY,
        models: Sequence[str] | None = None,
        delay: float = 0.0,
        strict: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: int = 1000,
        on_end: Callable[[Request], None] | None = None,
    ) -> None:
        self.key = key
        self._script = read_script(Path(script), answer) if script is not None else Script(answer)
        self._script.add(*turns)
        self._responder: Responder = ScriptedResponder(self._script, Models(models), delay=delay, strict=strict)
        self._listen = (host, port)
        self._on_end = on_end
        self._requests: deque[Request] = deque(maxlen=keep)
        self._open: set[Request] = set()
        self._changed = threading.Condition()
        self._address: tuple[str, int] | None = None
        self._thread = LoopThread("gsws fake gemini", self._serving)

    @classmethod
    def record(cls, upstream: str, file: str | Path, *, upstream_key: str | None = None, **options: Any) -> FakeGemini:
        """
        A stand-in that asks another API and writes the conversation down.

        Args:
            upstream: Base URL, such as ``https://generativelanguage.googleapis.com``.
            file: Where to write; begins anew with the first answer.
            upstream_key: The key for there; None for the environment's, else that of the client.
            options: ``host``, ``port``, ``key``, ``keep`` and ``on_end`` as for the class; every key is good here.
        """
        from gsws.testing.gemini.record import RecordingResponder

        fake = cls(**{"key": None, **options})
        fake._responder = RecordingResponder(upstream, Path(file), upstream_key)
        return fake

    @classmethod
    def replay(cls, file: str | Path, *, ignore: Sequence[str] = (), delay: float = 0.0, **options: Any) -> FakeGemini:
        """
        A stand-in that answers as it was recorded; a request that is not in the recording fails the test.

        Args:
            file: The recording.
            ignore: Members of a request that may differ, such as ``systemInstruction`` or ``generationConfig``.
            delay: Seconds before each chunk.
            options: ``host``, ``port``, ``key``, ``keep`` and ``on_end`` as for the class; every key is good here.

        Raises:
            RecordingError: The file is no recording.
            OSError: It cannot be read.
        """
        from gsws.testing.gemini.recording import ReplayResponder

        fake = cls(**{"key": None, **options})
        fake._responder = ReplayResponder(Path(file), delay=delay, ignore=ignore)
        return fake

    # Life.

    def __enter__(self) -> FakeGemini:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        problems = [*self._responder.problems, *self._server.problems]
        if problems and error is not None:
            error.add_note("FakeGemini: " + "\n".join(problems))
        elif problems:
            raise AssertionError("\n".join(problems))

    def start(self) -> None:
        """Listen. Raises OSError if the port cannot be had."""
        if self._thread.was_started:
            raise RuntimeError("this stand-in was started before")
        self._thread.start(_DEADLINE)

    def stop(self) -> None:
        """Cut what is open and end; does nothing if it is not running."""
        self._thread.stop(_DEADLINE)

    @property
    def url(self) -> str:
        """Where it listens: the ``base_url`` of a client."""
        if self._address is None:
            raise RuntimeError("the stand-in is not running; use it in a `with` block")
        host, port = self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that send Google's clients here."""
        return {"GOOGLE_API_KEY": self.key or KEY, "GOOGLE_GEMINI_BASE_URL": self.url}

    @property
    def has_upstream_key(self) -> bool:
        """While recording: whether there is a key for the API, so that clients need none of their own."""
        return bool(getattr(self._responder, "has_key", False))

    # What it says.

    def script(self, *turns: Scripted) -> None:
        """Add turns to the script; a text is a turn that says it."""
        self._script.add(*turns)

    def when(self, matches: str | Callable[[Request], bool], *turns: Scripted, model: str | None = None) -> None:
        """
        Answer matching requests with turns of their own, whatever the script says; the last of them stays.

        Args:
            matches: A text that the user's last question contains, or a function of the request.
            turns: What to say.
            model: Only requests of this model.
        """
        self._script.add_rule(matches, model, *turns)

    def clear(self) -> None:
        """Forget the script, its rules and the records of requests that have ended."""
        self._script.clear()
        with self._changed:
            running = [request for request in self._requests if request.ended is None]
            self._requests.clear()
            self._requests.extend(running)

    def cut(self) -> None:
        """Reset every open connection now."""
        self._thread.loop.call_soon_threadsafe(self._server.cut)

    # What was asked.

    @property
    def requests(self) -> list[Request]:
        """What was asked, oldest first."""
        with self._changed:
            return list(self._requests)

    @property
    def open_streams(self) -> int:
        """How many requests are being answered."""
        with self._changed:
            return sum(request.ended is None for request in self._open)

    @property
    def unused(self) -> int:
        """How many turns of the script, or of the recording, were not asked for."""
        return int(getattr(self._responder, "left", self._script.left))

    def wait_until(self, condition: Callable[[], bool], timeout: float = _DEADLINE, what: str = "") -> None:
        """Wait until a function of the records returns true. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"{what or 'the condition did not come true'} within {timeout:g} s; {self._state()}")

    def wait_requests(self, count: int = 1, timeout: float = _DEADLINE) -> Request:
        """Wait until so many requests have come; returns the last of them."""
        self.wait_until(lambda: len(self._requests) >= count, timeout, f"there were no {count} requests")
        return self._requests[count - 1]

    def wait_tokens(self, count: int = 1, timeout: float = _DEADLINE) -> Request:
        """Wait until the latest request was sent so many tokens; returns it."""
        self.wait_until(
            lambda: bool(self._requests) and len(self._requests[-1].sent) >= count,
            timeout,
            f"the last request was not sent {count} tokens",
        )
        return self._requests[-1]

    def wait_closed(self, timeout: float = _DEADLINE) -> float:
        """Wait until no answer is under way; returns when the last one ended, by `time.monotonic`."""
        self.wait_until(lambda: not self._open, timeout, "answers were still under way")
        return max((request.ended or 0.0 for request in self.requests), default=time.monotonic())

    # Private.

    def _state(self) -> str:
        outcomes = [f"{one.operation or one.path} {one.outcome} ({len(one.sent)} tokens)" for one in self._requests]
        return f"{len(outcomes)} requests: {', '.join(outcomes[-10:]) or 'none'}"

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        self._server = Server(self._responder, key=self.key, began=self._began, changed=self._notify, ended=self._ended)
        self._address = await self._server.start(*self._listen)
        yield
        await self._server.stop()

    def _began(self, request: Request) -> None:
        with self._changed:
            self._requests.append(request)
            self._open.add(request)
            self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _ended(self, request: Request) -> None:
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()
        if self._on_end is not None:
            self._on_end(request)
