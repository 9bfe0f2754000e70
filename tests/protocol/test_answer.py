"""The answer to one request: sequence, one start, one terminal frame."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsws.protocol.answer import MAX_FRAME, Answer, chunk_payload, frame, sent_payload
from gsws.protocol.codec import Unserialisable
from gsws.protocol.status import as_status
from gsws.types import GSStatus


def read(data):
    return None if data is None else json.loads(data)


def test_a_stream_counts_from_its_start_without_gaps():
    """P6.1, P6.3, P6.4."""
    answer = Answer("r")
    frames = [
        answer.start(),
        answer.chunk({"message": "a"}),
        answer.emit("tool.call", {"n": 1}),
        answer.end("complete"),
    ]

    assert [read(item) for item in frames] == [
        {"eventtype": "stream.start", "id": "r", "seq": 0, "payload": {"message": "[STREAM_START]"}},
        {"eventtype": "stream.chunk", "id": "r", "seq": 1, "payload": {"message": "a"}},
        {"eventtype": "tool.call", "id": "r", "seq": 2, "payload": {"n": 1}},
        {
            "eventtype": "stream.end",
            "id": "r",
            "seq": 3,
            "payload": {"message": "[STREAM_END]", "reason": "complete", "chunks": 1},
        },
    ]


def test_without_an_id_there_is_neither_id_nor_seq():
    """P3.1."""
    answer = Answer(None)

    assert read(answer.start()).keys() == {"eventtype", "payload"}
    assert read(answer.end("complete")).keys() == {"eventtype", "payload"}


def test_nothing_follows_the_terminal_frame():
    """P5.2, P6.2."""
    answer = Answer(1)
    answer.end("cancelled")

    assert answer.chunk({"message": "late"}) is None
    assert answer.end("complete") is None
    assert answer.reply(GSStatus()) is None
    assert answer.error("timeout", "late") is None
    assert answer.emit("usage", {}) is None


def test_a_second_start_is_no_frame():
    """P6.2: however many model calls lie between."""
    answer = Answer(1)
    answer.emit("stream.start", {})

    assert answer.emit("stream.start", {"message": "again"}) is None
    assert answer.start() is None
    assert answer.seq == 1


def test_an_emitted_end_is_terminal_and_counts_chunks():
    """P6.4: what the handler adds is kept, what the protocol says is not overridden."""
    answer = Answer(1)
    answer.emit("stream.chunk", {"message": "a"})
    end = read(answer.emit("stream.end", {"usage": {"tokens": 3}, "chunks": 99, "reason": "mine"}))

    assert end["payload"] == {"message": "[STREAM_END]", "usage": {"tokens": 3}, "reason": "complete", "chunks": 1}
    assert answer.ended


def test_success_without_an_id_sends_nothing():
    """P5.1."""
    answer = Answer(None)

    assert answer.reply(GSStatus(data={"a": 1})) is None
    assert answer.ended


def test_a_reply_is_the_handler_s_status():
    """P5.3."""
    assert read(Answer("r").reply(GSStatus(True, 201, "made", {"a": 1}))) == {
        "eventtype": "reply",
        "id": "r",
        "seq": 0,
        "payload": {"success": True, "code": 201, "message": "made", "data": {"a": 1}},
    }
    assert read(Answer("r").reply(GSStatus()))["payload"] == {"success": True, "code": 200}


def test_a_failing_status_is_an_error_with_its_code_message_and_data():
    """P5.3, P5.1: also without an id."""
    made = read(Answer(None).reply(GSStatus(False, 422, "no", {"field": "x"})))

    assert made == {
        "eventtype": "stream.error",
        "payload": {"message": "no", "error": "failed", "code": 422, "retryable": False, "data": {"field": "x"}},
    }


@pytest.mark.parametrize(
    ("name", "code", "retryable"),
    [
        ("invalid_json", 400, False),
        ("invalid_message", 400, False),
        ("unknown_event", 404, False),
        ("schema_violation", 400, False),
        ("unauthorized", 401, False),
        ("forbidden", 403, False),
        ("duplicate_id", 409, False),
        ("unknown_id", 404, False),
        ("too_many_requests", 429, True),
        ("busy", 409, True),
        ("timeout", 504, True),
        ("handler_error", 500, False),
        ("reply_violation", 500, False),
        ("draining", 503, True),
        ("resume_lost", 410, False),
    ],
)
def test_errors_have_their_codes(name, code, retryable):
    """P7.2."""
    payload = read(Answer(None).error(name, "text"))["payload"]

    assert payload == {"message": "text", "error": name, "code": code, "retryable": retryable}


def test_what_cannot_be_sent_leaves_no_gap():
    """P6.3: a failed frame is not counted."""
    answer = Answer("r")
    answer.start()
    for payload in ({"x": math.nan}, {"message": "x" * (MAX_FRAME + 1)}):
        with pytest.raises(Unserialisable):
            answer.chunk(payload)

    assert read(answer.chunk({"message": "ok"}))["seq"] == 1
    assert answer.chunks == 1


@pytest.mark.parametrize(
    ("item", "payload"),
    [
        ("text", {"message": "text"}),
        ({"a": 1}, {"a": 1, "message": ""}),
        ({"message": "m", "a": 1}, {"message": "m", "a": 1}),
        ({"message": 5}, {"message": "5"}),
        (5, {"message": "5"}),
        (1.5, {"message": "1.5"}),
        (True, {"message": "true"}),
        (None, {"message": ""}),
        (b"bytes", {"message": "bytes"}),
        ([1, 2], {"message": "", "data": [1, 2]}),
    ],
)
def test_what_a_generator_yields_has_a_string_message(item, payload):
    """P2.3, P6.1."""
    assert chunk_payload(item) == payload


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (None, GSStatus(True, 200)),
        ({"a": 1}, GSStatus(True, 200, None, {"a": 1})),
        ("text", GSStatus(True, 200, None, "text")),
        ({"success": False, "message": "no"}, GSStatus(False, 500, "no")),
        ({"code": 404, "message": "no"}, GSStatus(True, 200, None, {"code": 404, "message": "no"})),
        ({"code": 49, "country": "DE"}, GSStatus(True, 200, None, {"code": 49, "country": "DE"})),
        ({"success": True, "rows": 3}, GSStatus(True, 200, None, {"success": True, "rows": 3})),
        (
            {"success": False, "code": 409, "reason": "x"},
            GSStatus(True, 200, None, {"success": False, "code": 409, "reason": "x"}),
        ),
        ({"success": 1, "code": 404}, GSStatus(True, 200, None, {"success": 1, "code": 404})),
        ({"success": "no"}, GSStatus(True, 200, None, {"success": "no"})),
        ({"success": False, "code": "E1", "message": "no"}, GSStatus(False, 500, "no")),
        ({"success": False, "code": 404, "message": "no", "data": 1, "headers": {}}, GSStatus(False, 404, "no", 1, {})),
        ({"success": True, "code": 202}, GSStatus(True, 202)),
        ({"code": "DE", "name": "Germany"}, GSStatus(True, 200, None, {"code": "DE", "name": "Germany"})),
        (0, GSStatus(True, 200, None, 0)),
        ([], GSStatus(True, 200, None, [])),
    ],
)
def test_what_a_handler_returns_becomes_a_status(value, status):
    """P5.3."""
    assert as_status(value) == status


def test_pushed_frames_have_an_object_payload():
    """P2.3."""
    assert read(frame("room.message", {"a": 1})) == {"eventtype": "room.message", "payload": {"a": 1}}


OPERATIONS = st.lists(
    st.sampled_from(["start", "chunk", "emit", "emit-start", "emit-end", "reply", "fail", "end", "error"]), max_size=12
)


@given(OPERATIONS)
def test_any_order_of_calls_keeps_the_promises(operations):
    """P5.2, P6.2, P6.3: one start at most, one terminal frame at most and last, sequence numbers without gaps."""
    answer = Answer("r")
    calls = {
        "start": answer.start,
        "chunk": lambda: answer.chunk({"message": "x"}),
        "emit": lambda: answer.emit("mine", {}),
        "emit-start": lambda: answer.emit("stream.start", {}),
        "emit-end": lambda: answer.emit("stream.end", {}),
        "reply": lambda: answer.reply(GSStatus()),
        "fail": lambda: answer.reply(GSStatus(False)),
        "end": lambda: answer.end("complete"),
        "error": lambda: answer.error("timeout", "late"),
    }
    frames = [read(made) for name in operations if (made := calls[name]()) is not None]

    assert [item["seq"] for item in frames] == list(range(len(frames)))
    types = [item["eventtype"] for item in frames]
    assert types.count("stream.start") <= 1
    terminal = [kind for kind in types if kind in ("reply", "stream.end", "stream.error")]
    assert len(terminal) <= 1
    assert not terminal or types[-1] == terminal[0]


@pytest.mark.parametrize("eventtype", ["stream.chunk", "stream.note", "stream.snapshot", "stream.error", "stream.end"])
@pytest.mark.parametrize("payload", [{"n": 1}, {}, None, {"message": None}, {"message": 7}, [1], "text", 5])
def test_every_frame_under_stream_has_a_text(eventtype, payload):
    """P2.3: emitted or pushed, under the protocol's names or a project's own."""
    for data in (
        Answer("r").emit(eventtype, sent_payload(eventtype, payload)),
        frame(eventtype, sent_payload(eventtype, payload)),
    ):
        sent = read(data)
        assert sent["eventtype"] == eventtype
        assert isinstance(sent["payload"]["message"], str)


def test_other_frames_are_sent_as_they_are():
    """P2.3: an object, and no more."""
    assert read(Answer("r").emit("tool.call", sent_payload("tool.call", {"n": 1})))["payload"] == {"n": 1}
    assert read(frame("tool.call", sent_payload("tool.call", None)))["payload"] == {}
    assert read(frame("streams.x", sent_payload("streams.x", {})))["payload"] == {}


@pytest.mark.parametrize("eventtype", [None, 7, b"x", ["a"]])
def test_an_event_type_is_a_string(eventtype):
    """P2.3: a handler that sends another one hears of it."""
    with pytest.raises(TypeError, match="an event type is a string"):
        sent_payload(eventtype, {})
