"""
``gsws.auth``: another credential for a connection that is open (protocol P4.3).

One is checked at a time; whatever comes of it, the connection goes on with the one before until that ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from gsws.runtime.identity import Authenticator
from gsws.runtime.identity.expiry import Expiry
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.runtime.transport import Connection

__all__ = ["NotRenewed", "Renewed", "Renewing", "renew"]

_DEADLINE: Final = 10.0
"""Seconds that the check of a renewed token may take."""


class Renewing(Protocol):
    """Who asks for it."""

    @property
    def connection(self) -> Connection:
        """Whose address and query a function of the project may look at."""

    @property
    def label(self) -> str:
        """For the log."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The new credential counts; ``expires_in_ms`` is None if it does not end."""

    expires_in_ms: int | None


@dataclass(frozen=True, slots=True)
class NotRenewed:
    """
    The credential before still counts.

    Attributes:
        name: The error (protocol P7.2).
        message: For the client.
        details: More members of the error's payload.
        is_final: Whether it counts no more either: the connection is to be closed with 4504.
    """

    name: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    is_final: bool = False


_NOT_GOOD: Final = NotRenewed("unauthorized", "the token is not good; the connection ends with the one before")
_FORBIDDEN: Final = NotRenewed("forbidden", "this credential may no longer be used here", is_final=True)

_Answer: TypeAlias = Callable[[Renewed | NotRenewed], None]


def renew(
    payload: Any, expiry: Expiry | None, authenticator: Authenticator | None, asking: Renewing, answer: _Answer
) -> None:
    """
    Check the token of ``gsws.auth {"token"}`` and go by it if it is good.

    Args:
        payload: Of the frame.
        expiry: The credential before, or None.
        authenticator: Who checks, or None without ``authn``.
        asking: Who sent it.
        answer: Told what came of it, at once or later; never after the credential before has ended.
    """
    token = payload.get("token") if isinstance(payload, dict) else None
    if not isinstance(token, str):
        answer(NotRenewed("invalid_message", "`gsws.auth` needs a `token` in its payload"))
    elif expiry is None or authenticator is None:
        answer(NotRenewed("unauthorized", "this connection has no credential to renew; connect again with one"))
    elif expiry.is_renewing:
        answer(NotRenewed("too_many_requests", "a renewal is being checked", {"retry_after_ms": 1000}))
    else:
        expiry.is_renewing = True
        expiry.expiries.spawn(_renew(token, expiry, authenticator, asking, answer))


async def _renew(token: str, expiry: Expiry, authenticator: Authenticator, asking: Renewing, answer: _Answer) -> None:
    connection = asking.connection
    outcome: Verified | NotRenewed
    try:
        async with asyncio.timeout(_DEADLINE):
            outcome = await authenticator.renewed(token, connection)
        if outcome.actor.subject != expiry.verified.actor.subject:
            raise Refused("the subject may not change")  # noqa: TRY301
    except Exception as error:  # whatever it was, the credential was not renewed
        reason = error.reason if isinstance(error, Refused) else "it could not be checked"
        cause = error.__cause__ if isinstance(error, Refused | Unavailable | TimeoutError) else error
        authenticator.refuse_renewal(reason, cause, connection=connection.id, client=asking.label)
        outcome = _NOT_GOOD
        if isinstance(error, Refused) and error.is_forbidden:
            outcome = _FORBIDDEN
    finally:
        expiry.is_renewing = False
    if expiry.is_over:
        return
    if isinstance(outcome, NotRenewed):
        if outcome.is_final:
            expiry.end()
        answer(outcome)
        return
    expiry.take(outcome)
    answer(Renewed(None if outcome.expires is None else max(0, int((outcome.expires - time.time()) * 1000))))
