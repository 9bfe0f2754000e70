"""
A new connection of a source with hooks, until it is let in: what it sends meanwhile waits in the transport.

A session's first message tells whether it is new at all: a resume goes on with another one. A client that only
listens says nothing; its pong tells that a resume would have been here by now.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gsws.protocol.closecodes import CloseCode
from gsws.runtime.access import is_yes, refusal_of
from gsws.runtime.dispatch.dispatcher import Dispatcher
from gsws.runtime.dispatch.sessions import SessionDispatcher
from gsws.runtime.sessions.visits import HookRequest, Visits, call_hook
from gsws.runtime.transport import Receiver
from gsws.runtime.wheel import Timer

__all__ = ["Arrival"]

_LOOK: Final = 0.25
"""Seconds between two looks at whether a silent session's machine has answered, and that a resume has after that."""

_LOOKS: Final = 20
"""Looks after which a session that says nothing counts as new in any case."""


class Arrival:
    """
    Stands before a connection's receiver until it is let in.

    Args:
        dispatcher: Who takes its messages then.
        timeout: Seconds that ``on_connect`` may take.
    """

    __slots__ = (
        "_answered",
        "_client",
        "_closed",
        "_connection",
        "_dispatcher",
        "_first",
        "_is_asked",
        "_looks",
        "_session",
        "_timeout",
        "_timer",
        "_visits",
    )  # fmt: skip

    def __init__(self, visits: Visits, dispatcher: Dispatcher, *, timeout: float) -> None:
        self._visits = visits
        self._dispatcher: Receiver = dispatcher
        # It may turn out to go on with another session.
        self._session = dispatcher if isinstance(dispatcher, SessionDispatcher) else None
        self._client = dispatcher.client
        self._connection = dispatcher.connection
        self._timeout = timeout
        self._first: bytes | None = None
        self._closed: tuple[int, str] | None = None
        self._is_asked = False
        self._looks = 0
        self._answered = False
        self._timer: Timer | None = None

    def begin(self) -> None:
        """The connection is open; what goes out from here on follows ``gsws.hello``."""
        if self._session is None:
            self._connection.hold()
            self._ask()
        else:
            self._connection.probe()
            self._timer = self._client.registry.wheel.schedule(_LOOK, self._look)

    # The transport calls these.

    def message(self, data: bytes) -> None:
        """Take the first message of a session; nothing else comes by here."""
        if self._is_asked or self._session is None:
            return
        self._forget_timer()
        if self._session.resumes(data):
            if self._session.client is not self._client:
                self._connection.entrust(self._dispatcher)
                return
        else:
            self._first = data
        # Either way it is no other session's.
        self._connection.hold()
        self._ask()

    def binary(self, data: bytes) -> None:
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        """It has ended before it was let in: what runs for it comes to its end first."""
        if self._is_asked:
            self._closed = code, reason
            return
        self._forget_timer()
        self._dispatcher.closed(code, reason)

    # Letting in.

    def _look(self) -> None:
        self._timer = None
        if self._answered or self._looks >= _LOOKS:
            self._connection.hold()
            self._ask()
            return
        # One look more once its machine has answered: the program answers a little later.
        self._looks += 1
        self._answered = self._connection.was_heard
        self._timer = self._client.registry.wheel.schedule(_LOOK, self._look)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        self._is_asked = True
        if self._visits.hooks.on_connect is None:
            self._let_in()
            return
        task = asyncio.Task(self._run(), loop=self._client.executor.loop)
        self._visits.arriving[self._client] = task
        task.add_done_callback(lambda _: self._visits.arriving.pop(self._client))

    async def _run(self) -> None:
        hook = self._visits.hooks.on_connect
        assert hook is not None
        request = HookRequest(self._client, hook, {})
        refusal: str | None = "forbidden"
        try:
            refusal = self._judged(request, await call_hook(request, self._timeout))
        except asyncio.CancelledError:
            refusal = "server shutdown"
        except TimeoutError as error:
            request.logger.error("on_connect took too long; refused", fn=hook.fn, error=str(error))
        except BaseException as error:  # a hook may raise anything
            request.logger.error("on_connect failed; refused", fn=hook.fn, exc_info=error)
        finally:
            request.unlink()
        if refusal is None:
            self._let_in()
        else:
            self._refuse(refusal)

    def _judged(self, request: HookRequest, verdict: Any) -> str | None:
        """Why a verdict refuses, or None; returning nothing is no verdict, and lets in."""
        if verdict is None or is_yes(verdict):
            return None
        status = refusal_of(verdict, "forbidden")
        assert status is not None
        request.logger.info(
            "on_connect refused the connection", fn=request.route.fn, code=status.code, returned=type(verdict).__name__
        )
        return status.message or "forbidden"

    def _let_in(self) -> None:
        client, dispatcher = self._client, self._dispatcher
        self._visits.begin(client)
        id = client.session_id
        if id is not None and id not in client.registry.sessions:
            # It was ended from outside meanwhile, when nobody was there to be seen off.
            self._visits.end(client, self._connection.close_code or 1006, self._connection.close_reason or "")
        if self._closed is not None:
            dispatcher.closed(*self._closed)
            return
        self._connection.entrust(dispatcher)
        first, self._first = self._first, None
        if first is not None:
            dispatcher.message(first)
        self._connection.release()

    def _refuse(self, reason: str) -> None:
        """Nothing that waited is answered, and nobody is told that somebody left."""
        self._connection.entrust(self._dispatcher)
        self._client.dismiss(CloseCode.FORBIDDEN, reason)
        if self._closed is not None:
            self._dispatcher.closed(*self._closed)
