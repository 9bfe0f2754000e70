"""
The project's own check: ``authn.fn``, a function ``(handshake) -> Actor | None``.

Whatever it does, nobody gets in by its failure.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from gsws.protocol.status import written_status
from gsws.runtime.access import discard, is_yes
from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified, moment, scopes_of, subject_of
from gsws.types import AttributeDict, GSActor

__all__ = ["ask"]

_FORBIDDEN: Final = 403


async def ask(function: Callable[[Any], Any], view: AttributeDict, threads: CheckThreads) -> Verified | None:
    """
    Ask a function of the project who a client is; a plain one in a thread.

    Args:
        function: Takes the handshake; returns a `GSActor`, a subject, ``{"subject", "scopes"?, "claims"?}`` or None;
            ``GSStatus(False, 403)`` for somebody who is known and may not connect.
        view: The handshake: ``headers``, ``query``, ``cookies``, ``host``, ``path``, ``origin``, ``token``.
        threads: Where plain functions run.

    Raises:
        Refused: If it raises, or returns what is no actor.
        Unavailable: If there is no thread for it.
    """
    try:
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
            result = await function(view)
        else:
            result = await threads.run(partial(function, view))
            if inspect.isawaitable(result):
                result = await result
    except Unavailable:
        raise
    except BaseException as error:  # a function of the project may raise anything
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise Refused("`authn.fn` raised") from error
    if result is None:
        return None
    status = written_status(result)
    if status is not None and not status.success and status.code == _FORBIDDEN:
        raise Refused("`authn.fn` says that it is forbidden", is_forbidden=True)
    return _verified(result)


def _verified(result: Any) -> Verified:
    match result:
        case GSActor():
            # A dataclass believes its caller: a list of scopes, or claims of None, are made right here.
            actor = GSActor(subject_of(result.subject), scopes_of(result.scopes), True, _claims(result.claims))
        case str():
            actor = GSActor(subject_of(result), frozenset(), True)
        case {"subject": subject}:
            says = {key: result[key] for key in ("success", "code") if key in result}
            if not is_yes({"success": True, **says}) or result.get("authenticated", True) is not True:
                raise Refused("`authn.fn` returned a subject, and said that it is not let in")
            claims = _claims(result.get("claims"))
            scopes = scopes_of(result.get("scopes"), result.get("scope"))
            actor = GSActor(subject_of(subject), scopes, True, claims)
        case _:
            discard(result)
            raise Refused(f"`authn.fn` returned a {type(result).__name__}; expected a GSActor, a subject or None")
    expires = actor.claims.get("exp")
    return Verified(actor, None if expires is None else moment(expires))


def _claims(value: Any) -> dict[str, Any]:
    """Copy claims; they may say when somebody's time is over, so what cannot be read lets nobody in."""
    if value is not None and not isinstance(value, Mapping):
        raise Refused(f"`authn.fn` returned claims that are a {type(value).__name__}; expected an object")
    return dict(value or {})
