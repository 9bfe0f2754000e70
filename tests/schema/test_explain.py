"""Why a value is refused: whole answers, pointers of the value, and a bound on everything."""

from __future__ import annotations

import time

import pytest

from tests.schema.helpers import Schema


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("type: string", 5, ("", "type", "expected string, got integer 5")),
        ("type: [string, 'null']", [1], ("", "type", "expected string or null, got array")),
        ("enum: [a, b, 3]", "c", ("", "enum", 'must be one of "a", "b" or 3, not "c"')),
        ("const: 1", 2, ("", "const", "must be 1, not 2")),
        ("minimum: 5", 3, ("", "minimum", "must be at least 5, not 3")),
        ("exclusiveMaximum: 5", 5, ("", "exclusiveMaximum", "must be below 5, not 5")),
        ("multipleOf: 2", 3, ("", "multipleOf", "must be a multiple of 2, not 3")),
        ("minLength: 1", "", ("", "minLength", "must have at least 1 character, has 0")),
        ("maxItems: 1", [1, 2], ("", "maxItems", "must have at most 1 item, has 2")),
        ("minProperties: 2", {}, ("", "minProperties", "must have at least 2 keys, has 0")),
        ("pattern: ^a", "b", ("", "pattern", 'must match "^a", not "b"')),
        ("format: email", "b", ("", "format", 'must be a valid email, not "b"')),
        ("uniqueItems: true", [1, 1], ("", "uniqueItems", "has items that are equal; each may be there once")),
        ("contains: {const: 1}", [2], ("", "contains", "must have at least 1 item that fits `contains`")),
        ("not: {type: string}", "a", ("", "not", 'is a value that `not` excludes: "a"')),
        ("false", 1, ("", "false", "nothing is allowed here")),
        ("required: [message]", {"mesage": 1}, ("", "required", '"message" is required; "mesage" is there')),
        (
            "properties: {message: {}}\nadditionalProperties: false",
            {"mesage": 1},
            ("", "additionalProperties", 'unexpected key "mesage"; did you mean "message"?'),
        ),
        (
            "properties: {a: {type: string}}\nadditionalProperties: {type: integer}",
            {"a": "x", "b": "y"},
            ("/b", "type", 'expected integer, got string "y"'),
        ),
        ("properties: {a/b~c: {type: string}}", {"a/b~c": 1}, ("/a~1b~0c", "type", "expected string, got integer 1")),
        ("items: {items: {type: string}}", [["a"], ["a", 1]], ("/1/1", "type", "expected string, got integer 1")),
        ("prefixItems: [{type: string}]", [1, 2], ("/0", "type", "expected string, got integer 1")),
        ("prefixItems: [true]\nitems: false", [1, 2], ("", "items", "must have at most 1 items, has 2")),
        (
            "prefixItems: [{type: string}]\nitems: {type: integer}",
            ["a", "b"],
            ("/1", "type", 'expected integer, got string "b"'),
        ),
        ("patternProperties: {^x-: {type: string}}", {"x-a": 1}, ("/x-a", "type", "expected string, got integer 1")),
        (
            "propertyNames: {maxLength: 2}",
            {"abc": 1},
            ("", "propertyNames", 'the key "abc" is not allowed: must have at most 2 characters, has 3'),
        ),
        ("dependentRequired: {a: [b]}", {"a": 1}, ("", "dependentRequired", '"b" is required where "a" is given')),
        ("dependentSchemas: {a: {required: [b]}}", {"a": 1}, ("", "required", '"b" is required')),
        (
            "if: {required: [a]}\nthen: {required: [b]}\nelse: {required: [c]}",
            {"a": 1},
            ("", "required", '"b" is required'),
        ),
        ("if: {required: [a]}\nthen: {required: [b]}\nelse: {required: [c]}", {}, ("", "required", '"c" is required')),
        ("allOf: [{required: [a]}, {type: object}]", {}, ("", "required", '"a" is required')),
        (
            "properties: {a: true}\nunevaluatedProperties: false",
            {"b": 1},
            ("", "unevaluatedProperties", 'unexpected key "b"'),
        ),
        ("anyOf: [{type: string}, {type: 'null'}]", 5, ("", "anyOf", "expected string or null, got integer")),
        ("oneOf: [{minimum: 1}, {minimum: 2}]", 5, ("", "oneOf", "fits 2 of 2 alternatives, exactly one is allowed")),
        (
            "anyOf: [{type: object, required: [a]}, {type: array}]",
            {},
            ("", "anyOf", 'fits none of 2 alternatives; the nearest: "a" is required'),
        ),
        (
            "properties: {a: {oneOf: [{properties: {k: {const: x}}}, {properties: {k: {const: y}}}]}}",
            {"a": {"k": "z"}},
            ("/a", "oneOf", '"k" must be one of "x" or "y", not "z"'),
        ),
        (
            "oneOf: [{properties: {k: {const: x}, v: {type: string}}}, "
            "{properties: {k: {const: y}, v: {type: integer}}}]",
            {"k": "y", "v": "s"},
            ("", "oneOf", 'fits none of 2 alternatives; the nearest: `/v` expected integer, got string "s"'),
        ),
    ],
)
def test_one_reason(text, value, expected):
    assert Schema(text).explain(value) == [expected]


def test_all_reasons_up_to_the_limit():
    schema = Schema("required: [a, b]\nproperties: {c: {type: string}, d: {minimum: 5}}\nadditionalProperties: false")
    value = {"c": 1, "d": 2, "e": 3}
    assert schema.reasons(value) == [
        ("", "required"),
        ("", "required"),
        ("/c", "type"),
        ("/d", "minimum"),
        ("", "additionalProperties"),
    ]
    assert len(schema.explain(value, limit=2)) == 2
    assert len(schema.explain(value, limit=0)) == 1


def test_a_prefix_stands_before_every_pointer():
    schema = Schema("properties: {a: {type: string}}\nrequired: [b]")
    assert [error[0] for error in schema.explain({"a": 1}, prefix="/payload")] == ["/payload/a", "/payload"]


def test_what_fits_has_no_reasons():
    assert Schema("type: string").explain("a") == []


def test_values_are_quoted_shortly():
    secret = "s" * 10_000_000
    schema = Schema("anyOf: [{const: a}, {maxLength: 5, enum: [b]}]\nmaxLength: 3")
    for _, _, message in schema.explain(secret):
        assert len(message) < 250
    deep = {"k" * 500: [["x" * 500] * 50] * 50}
    for _, _, message in Schema("const: 1\nnot: {type: object}").explain(deep):
        assert len(message) < 150


def nested(depth: int):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


RECURSIVE = """
anyOf:
- {type: array, items: {$ref: '#'}}
- {type: array, minItems: 0, items: {$ref: '#'}}
- {type: array, maxItems: 9, items: {$ref: '#'}}
- {type: string}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (RECURSIVE, nested(60)),
        (RECURSIVE.replace("anyOf", "oneOf"), nested(60)),
        ("type: array\nallOf: [{items: {$ref: '#'}}, {items: {$ref: '#'}}]", nested(60)),
        ("$dynamicAnchor: n\n" + RECURSIVE.replace("$ref: '#'", "$dynamicRef: '#n'"), nested(60)),
        ("uniqueItems: true", [{"a": n} for n in range(20_000)] + [{"a": 1}]),
        ("items: {type: string}", [0] * 500_000),
        ("items: {anyOf: [{type: string}, {type: object, required: [a]}]}", [{}] * 300_000),
        ("additionalProperties: false", {str(n): n for n in range(100_000)}),
        ("additionalProperties: {type: string}", {str(n): n for n in range(100_000)}),
        ("propertyNames: {maxLength: 1}", {str(n): n for n in range(100_000)}),
        ("patternProperties: {'^(1+)+$': {type: string}}", {str(n): n for n in range(100_000)}),
        ("pattern: '^(a+)+$'", "a" * 100_000 + "!"),
        ("pattern: '^(?!x)(a+)+\\1$'", "a" * 100_000 + "!"),
        ("items: {pattern: '^(\\w+\\s?)*(?!x)$'}", ["a " * 30 + "!"] * 3_000),
        ("contains: {type: string}", [0] * 500_000),
        ("format: email", "@" * 1_000_000),
        ("format: uri", "a:" * 500_000 + " "),
        ("format: idn-hostname", "\u0301a." * 100_000),
        ("format: regex", "(" * 100_000),
        ("format: duration", "P" + "1Y" * 100_000),
        ("multipleOf: 7", 10**60),
        ("unevaluatedProperties: false\nallOf: [{properties: {a: true}}]", {str(n): n for n in range(50_000)}),
    ],
    ids=range(22),
)
def test_work_is_bounded_for_hostile_values(text, value):
    """A message takes milliseconds to refuse and a twentieth of a second, plus one question, to explain."""
    validator = Schema(text).compiled.validator
    assert validator is not None
    started = time.process_time()
    assert not validator.check(value)
    checked = time.process_time() - started
    errors = validator.explain(value)
    explained = time.process_time() - started - checked
    assert 1 <= len(errors) <= 10
    assert checked < 20
    assert explained < 30


def test_a_lone_surrogate_is_refused_without_a_trace():
    errors = Schema("type: string\nmaxLength: 5").compiled.validator.explain("\ud800")
    assert [error.keyword for error in errors] == ["schema"]


def test_dynamic_references_are_explained_by_the_engine():
    schema = Schema(
        "type: object\n$dynamicAnchor: node\nproperties:\n"
        "  v: {type: integer}\n  kids: {type: array, items: {$dynamicRef: '#node'}}"
    )
    assert schema.reasons({"kids": [{"v": "x"}]}) == [("/kids/0/v", "type")]
