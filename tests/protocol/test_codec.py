"""What a message may be on the wire, and what a handler may answer."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import math
import types
import uuid
from datetime import UTC, datetime
from typing import NamedTuple

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


@pytest.mark.parametrize("id", ['""', '"' + "x" * 65 + '"', "1.5", "1.0", "true", "[]", "{}"])
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
        (b'{"a":"\\ud800"}', "a lone surrogate"),
        (b'{"a":"\\ud800"}' + b" " * 70_000, "a lone surrogate"),
        (b'{"a":[1e400,"\\ud800"]}', "out of range"),
        (b'{"a":-1e400}', "out of range"),
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


def refused_id(data: bytes) -> object:
    with pytest.raises(WireError) as caught:
        decode(data)
    return caught.value.id


BAD = {
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate in a key": b'{"\\udfff":1}',
    "a number too large": b"1e400",
    "an integer too long": b"9" * 5000,
    "not a number": b"NaN",
    "a comma too many": b"[1,]",
    "a word": b"undefined",
    "bad UTF-8": b'"\xff"',
    "a control character": b'"a\x00b"',
    "too deep for the limit": b"[" * 80 + b"]" * 80,
    "too deep for any parser": b"[" * 100_000 + b"]" * 100_000,
    "an id of its own": b'{"id":"inner","x":1e400}',
    "text like a message": b'",\\"id\\":9}1e400",1e400',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize(
    "message",
    [
        b'{"id":ID,"eventtype":"e","payload":BAD}', b'{"eventtype":"e","payload":BAD,"id":ID}',
        b'{"eventtype":"e","payload":BAD,"id":ID,"meta":null,"seq":-1.5e3,"x":"y\\"z"}',
        b' { "eventtype" : "e" , "payload" : BAD , "id" : ID } ', b'{"id":1,"payload":BAD,"i\\u0064":ID}',
        b'{"eventtype":BAD,"id":ID,"payload":{"id":"not this one"}}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("id", ["r7", -5, "ü\n\\ \U0001f600"])
def test_a_message_that_is_not_taken_keeps_its_id(message, bad, id):
    """P5.2: what asks for an answer gets one, whatever is wrong with the rest of it."""
    for written in (json.dumps(id), json.dumps(id, ensure_ascii=False)):
        assert refused_id(message.replace(b"BAD", bad).replace(b"ID", written.encode())) == id


@pytest.mark.parametrize("place", ["front", "end"])
def test_an_id_is_found_before_and_behind_any_size(place):
    """However much lies between."""
    payload = b"[" + b'{"a":[1,"b"]},' * 70_000 + b"1e400]"
    front, end = (b'"id":"r",', b"") if place == "front" else (b"", b',"id":"r"')
    assert refused_id(b'{%s"eventtype":"e","payload":%s%s}' % (front, payload, end)) == "r"


@pytest.mark.parametrize(
    "data",
    [
        b'{"payload":{"id":1},"x":NaN}',
        b'{"payload":"\\"id\\":1","x":NaN}',
        b'["id",1,NaN]',
        b'[{"id":1},NaN]',
        b'"id":1',
        b'{"id":1.5,"x":NaN}',
        b'{"id":1e3,"x":NaN}',
        b'{"id":"","x":NaN}',
        b'{"id":"%s","x":NaN}' % (b"y" * 65),
        b'{"id":true,"x":NaN}',
        b'{"id":[1],"x":NaN}',
        b'{"id":"\\ud800","x":NaN}',
        b'{"id":"open',
        b'{"id":',
        b'{"id"',
        b'{"id":01,"x":NaN}',
        b'{"idx":1,NaN',
        b'{"id":null,"x":NaN}',
        b'{"x":"id","y":1,NaN}',
        b"",
    ],
)
def test_what_is_no_id_of_the_message_is_not_taken_for_one(data):
    """An answer with another request's id would be worse than one without."""
    assert refused_id(data) is None


@pytest.mark.parametrize(
    "unit", [b"[", b"{", b"[],", b'"', b'\\"', b'"a"', b'{"":', b',"id":1', b'"id":"', b"\\", b"9", b" ", b"]"]
)
@pytest.mark.parametrize("around", [(b"", b""), (b'{"id":7,"p":"', b'"}'), (b'{"p":[', b'],"id":8}')])
def test_a_hostile_message_of_any_kind_is_answered(unit, around):
    """A megabyte of each; anything that is not linear would not end within the test's deadline."""
    data = around[0] + unit * (2**20 // len(unit)) + around[1]
    with contextlib.suppress(WireError):
        decode(data)


@pytest.mark.parametrize(
    ("reserved", "id", "meta"),
    [
        (b'"id":null', None, None),
        (b'"meta":null', None, None),
        (b'"id":null,"meta":null,"seq":null', None, None),
        (b'"id":1,"meta":{"traceparent":null,"idempotency_key":null}', 1, {}),
        (b'"meta":{"traceparent":null,"idempotency_key":"k"}', None, {"idempotency_key": "k"}),
    ],
)
def test_a_reserved_key_that_is_null_is_absent(reserved, id, meta):
    """P2.2: typed clients send what they have not."""
    assert decode(b'{"eventtype":"e","payload":null,%s}' % reserved) == (
        "e",
        id,
        meta,
        {"eventtype": "e", "payload": None},
    )


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


@dataclasses.dataclass
class Held:
    value: object
    _private: int = 0


@dataclasses.dataclass(slots=True)
class Slotted:
    value: object
    _private: int = 0


class Named(NamedTuple):
    value: object


class Kind(enum.Enum):
    KEYS = types.MappingProxyType({})
    MAP = {1: 10**30}  # noqa: RUF012


CONTAINERS = [
    lambda value: {"value": value},
    lambda value: [value],
    lambda value: (value,),
    lambda value: Held(value),
    lambda value: Slotted(value),
    lambda value: {"a": [Held({"b": Slotted([value])})]},
    lambda value: {2: Held(value)},
]


@pytest.mark.parametrize("wrap", CONTAINERS)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1: "a"}, '{"1":"a"}'),
        ({None: 1}, '{"null":1}'),
        (10**30, "1000000000000000000000000000000"),
        (Named(3), "[3]"),
        ({True: Held({2: 3})}, '{"true":{"value":{"2":3}}}'),
        (Kind.MAP, '{"1":1000000000000000000000000000000}'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Slotted(Held(1)), '{"value":{"value":1}}'),
    ],
)
def test_what_has_a_json_form_has_it_wherever_it_stands(wrap, value, text):
    """In an object, an array, a dataclass, or several of them."""
    marked = encode(wrap("@")).decode()
    assert encode(wrap(value)).decode() == marked.replace('"@"', text)


@pytest.mark.parametrize("wrap", CONTAINERS)
@pytest.mark.parametrize(
    "value", [math.nan, {1: math.inf}, {1, 2}, object(), "\ud800", {1: "\ud800"}, Held, Kind.KEYS, b"x"]
)
def test_what_has_no_json_form_has_none_wherever_it_stands(wrap, value):
    """The same, with a complaint."""
    with pytest.raises(Unserialisable):
        encode(wrap(value))


def test_a_dataclass_that_holds_itself_has_no_json_form():
    circle = Held({})
    circle.value[1] = circle
    with pytest.raises(Unserialisable):
        encode(circle)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data):
    try:
        decode(data)
    except WireError:
        pass
