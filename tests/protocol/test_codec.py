"""What a message may be on the wire, and what a handler may answer."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsws.protocol.codec import Unserialisable, decode, encode
from gsws.protocol.errors import WireError


def refusal(data: bytes, depth: int = 64) -> tuple[str, str]:
    with pytest.raises(WireError) as caught:
        decode(data, depth)
    return caught.value.name, caught.value.message


def test_reserved_keys_are_taken_off_before_the_schema_sees_the_message():
    """P2.2: ``id``, ``seq`` and ``meta`` are no part of the message."""
    eventtype, id, meta, message = decode(
        b'{"eventtype":"a.b","payload":{"x":1},"id":"r1","seq":9,"meta":{"traceparent":"t"},"more":true}'
    )

    assert (eventtype, id, meta) == ("a.b", "r1", {"traceparent": "t"})
    assert message == {"eventtype": "a.b", "payload": {"x": 1}, "more": True}


@pytest.mark.parametrize("id", ["x", "x" * 64, 0, -1, 2**63, 10**30])
def test_an_id_is_a_string_of_1_to_64_characters_or_an_integer(id):
    """P2.2: big integers survive."""
    assert decode(encode({"eventtype": "e", "id": id}))[1] == id


@pytest.mark.parametrize("id", ['""', '"' + "x" * 65 + '"', "1.5", "1.0", "true", "null", "[]", "{}"])
def test_any_other_id_is_an_invalid_message(id):
    """P2.2, P7.2."""
    assert refusal(b'{"eventtype":"e","id":%s}' % id.encode())[0] == "invalid_message"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"eventtype":"e"} x', "not valid JSON at byte"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":Infinity}', "not valid JSON"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"[" * 100_000, "nested"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b'{"a":' + b"9" * 5000 + b"}", "out of range"),
    ],
)
def test_what_is_not_json_is_refused_without_the_library_s_words(data, text):
    """P7.2: ``invalid_json``."""
    name, message = refusal(data)

    assert name == "invalid_json"
    assert text in message
    assert "msgspec" not in message.lower()


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_a_message_is_an_object(data):
    """P2.1."""
    assert refusal(data)[0] == "invalid_message"


@pytest.mark.parametrize("data", [b"{}", b'{"eventtype":1}', b'{"eventtype":null}', b'{"eventtype":"e","meta":[]}'])
def test_eventtype_is_a_string_and_meta_an_object(data):
    """P2.1, P2.2."""
    assert refusal(data)[0] == "invalid_message"


def test_a_refused_message_keeps_its_readable_id():
    """P5.2: what asks for an answer gets one, with its id."""
    with pytest.raises(WireError) as caught:
        decode(b'{"id":"r7","payload":{}}')

    assert caught.value.id == "r7"


@pytest.mark.parametrize("name", ["__proto__", "__class__", "constructor", "\x00", "a" * 1000])
def test_event_names_are_opaque(name):
    """P2.1: nothing is looked up on an object by a client's word."""
    assert decode(encode({"eventtype": name}))[0] == name


def nested(depth: int) -> bytes:
    return b'{"eventtype":"e","payload":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth_is_counted_exactly():
    """P7.2: the limit is the first depth that is refused, less one."""
    decode(nested(64), 64)
    assert refusal(nested(65), 64) == ("invalid_json", "the message is nested deeper than 64 levels")


def test_brackets_in_strings_and_siblings_are_no_depth():
    decode(b'{"eventtype":"e","payload":"' + b"[{" * 500 + b'\\"[["}', 4)
    decode(b'{"eventtype":"e","payload":[' + b"[]," * 500 + b"{}]}", 4)


@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_agrees_with_the_value(value):
    def depth(item):
        if isinstance(item, dict):
            return 1 + max(map(depth, item.values()), default=0)
        if isinstance(item, list):
            return 1 + max(map(depth, item), default=0)
        return 0

    message = {"eventtype": "e", "payload": value}
    data, exact = encode(message), depth(message)
    assert decode(data, exact)[3] == message
    with pytest.raises(WireError):
        decode(data, exact - 1)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, {1, 2}, frozenset(), object(), "\ud800", [None, {"a": math.nan}]]
)
def test_what_has_no_json_form_is_named(value):
    with pytest.raises(Unserialisable):
        encode({"data": value})


def test_cycles_and_depth_are_unserialisable():
    cycle: list[object] = []
    cycle.append(cycle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    for value in (cycle, deep):
        with pytest.raises(Unserialisable):
            encode(value)


def test_big_integers_dates_and_integer_keys_have_a_json_form():
    moment = datetime(2026, 11, 22, tzinfo=UTC)

    assert encode({"n": 10**30}) == b'{"n":1000000000000000000000000000000}'
    assert encode({"n": 10**30, "t": moment, "u": uuid.UUID(int=1)}) == (
        b'{"n":1000000000000000000000000000000,"t":"2026-11-22T00:00:00+00:00",'
        b'"u":"00000000-0000-0000-0000-000000000001"}'
    )
    assert encode({1: None}) == b'{"1":null}'


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data):
    try:
        decode(data)
    except WireError:
        pass
