"""
Pushes: frames that no request asked for, to a room, a subject, a label or one connection; and closing from outside.

Called by handlers, hooks, datasources, plugins, the lifespan function and the control socket; from the loop's thread
or any other. A frame is encoded once and waits for nobody (protocol P9.3, P11.2, P11.2a).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from gsws.diagnostics.suggest import nearest
from gsws.protocol.answer import MAX_FRAME, frame, sent_payload
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import Unserialisable
from gsws.runtime.requests.contract import check_broadcast
from gsws.runtime.sources.source import Source
from gsws.runtime.transport import encode_frame
from gsws.types import Count, is_protocol_name

__all__ = ["Pushes", "check_close"]

_PATIENCE: Final = 10.0
"""Seconds that a thread waits for the loop; one that is held up for longer is told so."""

_LONGEST_NAME: Final = 255


class Pushes:
    """
    What is pushed into the event sources of one service.

    Args:
        sources: The sources by name, as far as they have started.
        listening: Tells the names of those that have a port; others have nobody to push to.
        declared: Tells the names of all sources of the project.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        listening: Callable[[], list[str]],
        declared: Callable[[], list[str]],
    ) -> None:
        self._sources = sources
        self._listening = listening
        self._declared = declared
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def open(self) -> None:
        """Belong to the running loop; threads hand over to it from now on."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def push(
        self,
        eventtype: str,
        payload: Any = None,
        *,
        room: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        source: str | None = None,
        default: str | None = None,
    ) -> Count:
        """
        Push one frame, as `gsws.routing.pushing.Pushing.push` says; ``default`` is the source of the context.

        Raises:
            ValueError: If the name is the protocol's, the target is not exactly one, or the source is not clear.
            ReplyViolation: If an event of the source declares the type in ``broadcasts`` and the payload does not fit.
            Unserialisable: If the payload has no JSON form or is too large for a frame.
        """
        targets = {"room": room, "subject": subject, "client_id": client_id, "connection": connection}
        target = _one_target(targets, "push", "`room`, `subject`, `client_id` or `connection`")
        _check_eventtype(eventtype)
        return self._call(partial(self._push, eventtype, payload, *target, source, default))

    def disconnect(
        self,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        code: int = CloseCode.FORBIDDEN,
        reason: str = "",
        source: str | None = None,
    ) -> Count:
        """
        Close connections and end sessions, as `gsws.routing.pushing.Pushing.disconnect` says.

        Raises:
            ValueError: If the target is not exactly one, the source is unknown, or an application may not send that
                code.
        """
        targets = {"subject": subject, "client_id": client_id, "connection": connection}
        target = _one_target(targets, "disconnect", "`subject`, `client_id` or `connection`")
        check_close(code, reason)
        return self._call(partial(self._disconnect, *target, int(code), reason, source))

    # On the loop.

    def _push(
        self, eventtype: str, payload: Any, target: str, name: str, source: str | None, default: str | None
    ) -> int:
        live = self._source(source, default)
        data = sent_payload(eventtype, payload)
        if live is not None:
            check_broadcast(live.executor.broadcasts, eventtype, data)
        encoded = frame(eventtype, data)
        if len(encoded) > MAX_FRAME:
            raise Unserialisable(f"a frame of {len(encoded)} bytes is over the limit of {MAX_FRAME}")
        if live is None:
            return 0
        if target == "room":
            return live.executor.rooms.publish(name, encoded)
        prepared = encode_frame(encoded)
        return sum(client.offer(prepared) for client in live.registry.reachable().find(**{target: name}))

    def _disconnect(self, target: str, name: str, code: int, reason: str, source: str | None) -> int:
        if source is not None:
            live = self._source(source, None)
            chosen = [] if live is None else [live]
        else:
            chosen = list(self._sources.values())
        clients = [client for live in chosen for client in live.registry.reachable().find(**{target: name})]
        for client in clients:
            client.dismiss(code, reason)
        return len(clients)

    def _source(self, name: str | None, default: str | None) -> Source | None:
        """The source that is meant; None for one that has not started yet."""
        declared = self._declared()
        if name is not None:
            if name not in declared:
                near = nearest(str(name), declared)
                raise ValueError(
                    f"no event source `{name}`; " + (f"did you mean `{near[0]}`?" if near else f"{_listed(declared)}")
                )
            return self._sources.get(name)
        listening = self._listening()
        if default is not None and (default in listening or not listening):
            return self._sources.get(default)
        candidates = listening or declared
        if len(candidates) != 1:
            raise ValueError(f"there are several event sources; name one with `source`; {_listed(candidates)}")
        return self._sources.get(candidates[0])

    # From any thread.

    def _call(self, act: Callable[[], int]) -> Count:
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            return Count(act())
        done: concurrent.futures.Future[int] = concurrent.futures.Future()

        def run() -> None:
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(act())
                except BaseException as error:
                    done.set_exception(error)

        try:
            loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise RuntimeError("the service has ended; nothing can be pushed") from None
        try:
            return Count(done.result(_PATIENCE))
        except TimeoutError:
            if not done.cancel():
                return Count(done.result())
            raise TimeoutError(f"the service's loop was held up for {_PATIENCE:g} s; nothing was pushed") from None


def check_close(code: int, reason: str) -> None:
    """
    Check what an application may close with: 1000 or 3000 to 4999, and a reason of 123 bytes (RFC 6455 section 7.4.2).

    Raises:
        ValueError: If it may not.
    """
    if isinstance(code, bool) or not isinstance(code, int) or (code != 1000 and not 3000 <= code <= 4999):
        raise ValueError(f"close code {code} is not 1000 or 3000 to 4999")
    if not isinstance(reason, str) or len(reason.encode("utf-8", "surrogatepass")) > 123:
        raise ValueError("a close reason is a text of at most 123 bytes in UTF-8")


def _one_target(targets: Mapping[str, str | None], verb: str, accepted: str) -> tuple[str, str]:
    given = [(key, value) for key, value in targets.items() if value is not None]
    if len(given) != 1:
        found = ", ".join(f"`{key}`" for key, _ in given) or "none"
        raise ValueError(f"{verb} takes exactly one of {accepted}; found {found}")
    key, value = given[0]
    if not isinstance(value, str) or not value:
        raise ValueError(f"`{key}` is a text that is not empty, found {value!r:.50}")
    return key, value


def _check_eventtype(eventtype: str) -> None:
    if not isinstance(eventtype, str) or not 1 <= len(eventtype) <= _LONGEST_NAME:
        raise ValueError(f"an event type is a text of 1 to {_LONGEST_NAME} characters")
    if is_protocol_name(eventtype):
        raise ValueError(f"the event type `{eventtype}` belongs to the protocol; choose another name")


def _listed(names: list[str]) -> str:
    return "the project has " + (", ".join(f"`{name}`" for name in names) or "none")
