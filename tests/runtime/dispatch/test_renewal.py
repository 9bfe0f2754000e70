"""``gsws.auth`` (P4.3): what comes of it, without a socket."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from gsws.runtime.dispatch.renewal import NotRenewed, Renewed, renew
from gsws.runtime.identity.expiry import Expiries, Expiry
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.runtime.wheel import Wheel
from gsws.types import GSActor

ASKING = SimpleNamespace(connection=SimpleNamespace(id="c1"), label="ann")
TOKEN = {"token": "t"}


class Holder:
    """Who has the credential: notes how it is ended."""

    actor = None

    def __init__(self):
        self.ended = []

    def close(self, code, reason):
        self.ended.append((code, reason))

    dismiss = close


class Authenticator:
    """Says of each token what it was told to say; no file ends a credential."""

    files = ()

    def __init__(self, outcome):
        self.outcome = outcome
        self.expiries = Expiries(self, Wheel(asyncio.get_running_loop()))
        self.may_answer = asyncio.Event()
        self.logged = []

    def is_watched(self, verified):
        return False

    async def renewed(self, token, connection):
        await self.may_answer.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def refuse_renewal(self, reason, error, **facts):
        self.logged.append(reason)


def good(subject="ann", lasts=60.0):
    return Verified(GSActor(subject, frozenset(), True, {}), None if lasts is None else time.time() + lasts)


def run(outcome, *, meanwhile=lambda expiry: None):
    """Renew once; give the holder, its expiry, what was answered and what was logged."""

    async def once():
        holder, authenticator, answers = Holder(), Authenticator(outcome), []
        expiry = Expiry(holder, authenticator.expiries, good())
        renew(TOKEN, expiry, authenticator, ASKING, answers.append)
        renew(TOKEN, expiry, authenticator, ASKING, answers.append)
        busy = answers.pop()
        assert (busy.name, busy.details) == ("too_many_requests", {"retry_after_ms": 1000})
        meanwhile(expiry)
        authenticator.may_answer.set()
        async with asyncio.timeout(5):
            while expiry.is_renewing:
                await asyncio.sleep(0)
        return holder, expiry, answers, authenticator.logged

    return asyncio.run(once())


@pytest.mark.parametrize(("lasts", "least", "most"), [(30.0, 29_000, 30_000), (None, None, None)])
def test_a_good_token_counts_from_now_on(lasts, least, most):
    verified = good(lasts=lasts)
    holder, expiry, [answer], logged = run(verified)
    assert isinstance(answer, Renewed)
    assert answer.expires_in_ms == least or least <= answer.expires_in_ms <= most
    assert (expiry.verified, holder.actor, holder.ended, logged) == (verified, verified.actor, [], [])


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Refused("bad"), "bad"),
        (good("bob"), "the subject may not change"),
        (Unavailable("no keys"), "it could not be checked"),
        (RuntimeError("boom"), "it could not be checked"),
    ],
)
def test_a_bad_one_leaves_the_one_before(outcome, reason):
    holder, expiry, [answer], logged = run(outcome)
    assert (answer.name, answer.is_final, logged) == ("unauthorized", False, [reason])
    assert (holder.actor.subject, holder.ended, expiry.is_over) == ("ann", [], False)


def test_one_that_is_forbidden_ends_both():
    """Closing is left to who asked."""
    holder, expiry, [answer], _ = run(Refused("no", is_forbidden=True))
    assert (answer.name, answer.is_final) == ("forbidden", True)
    assert (holder.ended, expiry.is_over) == ([], True)


@pytest.mark.parametrize("outcome", [good(), Refused("bad"), Refused("no", is_forbidden=True)])
def test_nothing_is_answered_after_the_connection_has_ended(outcome):
    """A session that went on over another connection has that one's credential."""
    _, expiry, answers, _ = run(outcome, meanwhile=Expiry.end)
    assert (answers, expiry.is_renewing) == ([], False)


def test_who_has_no_credential_has_none_to_renew():
    answers = []
    renew(TOKEN, None, None, ASKING, answers.append)
    renew({"token": 7}, None, None, ASKING, answers.append)
    assert [answer.name for answer in answers if isinstance(answer, NotRenewed)] == ["unauthorized", "invalid_message"]
