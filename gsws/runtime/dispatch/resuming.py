"""``gsws.resume``: what a client is sent that goes on with a session (protocol P8.2 to P8.4)."""

from __future__ import annotations

from collections.abc import Iterable

from gsws.protocol.answer import error_payload, frame
from gsws.runtime.dispatch.claims import MOST, refusals, told_streams, wanted_streams
from gsws.runtime.sessions.session import Session
from gsws.runtime.streams.replay import replay
from gsws.types import JSONObject, RequestId

__all__ = ["refuse_resume", "resume"]


def resume(session: Session, asked: object, *, compact: bool) -> None:
    """Say what follows, then send every missing frame in order; what was pushed meanwhile comes last."""
    wanted = wanted_streams(asked, session.knows)
    log, connection = session.log, session.connection
    found = {id: state for id, seq in wanted.items() if (state := log.read(id, seq, compact=compact))}
    session.mute(found)
    facts: dict[RequestId, JSONObject] = {
        id: {"from": wanted[id] + 1, "state": "ended" if state.is_ended else "running"} for id, state in found.items()
    }
    _say(session, frame("gsws.resumed", {"session": session.session_id, "streams": told_streams(asked, facts)}))
    lost: list[RequestId] = []
    never_came: list[RequestId] = []
    for id, seq in wanted.items():
        state = found.get(id)
        if state is not None:
            for data in replay(id, state):
                _say(session, data)
        elif seq == -1 and not (session.knows(id) or log.has_forgotten):
            never_came.append(id)
        else:
            lost.append(id)
    _lost(session, never_came, each=MOST, never_came=True)
    _lost(session, lost, each=max(0, MOST - len(never_came)))
    kept = session.take_kept()
    if kept is not None:
        for prepared in kept.release():
            connection.send_prepared(prepared)
        if kept.missed:
            _say(session, frame("gsws.lost", {"missed": kept.missed}))
    connection.mark_replay()


def refuse_resume(session: Session, asked: object) -> None:
    """Answer for a session that is not held, or not this client's, whose ids are not its to know."""
    _say(session, frame("gsws.resumed", {"session": session.session_id, "streams": told_streams(asked, {})}))
    _lost(session, wanted_streams(asked), each=MOST)


def _lost(session: Session, ids: Iterable[RequestId], *, each: int, never_came: bool = False) -> None:
    """Answer for streams that cannot be resumed; retryable if their requests provably never arrived (P8.4)."""
    payload = error_payload("resume_lost", "its frames are no longer held")
    if never_came:
        payload |= {"message": "this session has no such request", "retryable": True}
    for data in refusals(ids, payload, each=each):
        session.registry.counters.add("errors.resume_lost")
        _say(session, data)


def _say(session: Session, data: bytes) -> None:
    if session.connection.is_open:
        session.connection.send_text(data)
