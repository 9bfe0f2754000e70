"""Null in a schema: data where a value is described, a mistake everywhere else."""

from __future__ import annotations

import pytest

from tests.schema.helpers import Schema


@pytest.mark.parametrize(
    ("text", "fits", "refused"),
    [
        ("const: {a: null}", {"a": None}, {}),
        ("const: [null, {b: null}]", [None, {"b": None}], [None, {}]),
        ("enum: [{a: null}, null]", {"a": None}, {}),
        ("enum: [[null]]", [None], []),
        ("properties: {p: {const: {q: {r: null}}}}", {"p": {"q": {"r": None}}}, {"p": {"q": {}}}),
        ("patternProperties: {'^p': {enum: [{n: null}]}}", {"p": {"n": None}}, {"p": {}}),
        ("$ref: '#/definitions/d/K'", {"a": None}, {}),
        ("$ref: '#/x-parts/k'\nx-parts: {k: {const: {a: null}}}", {"a": None}, {}),
    ],
)
def test_null_is_data_where_a_value_is_described(text, fits, refused):
    schema = Schema(text, {"definitions/d.yaml": "K: {const: {a: null}, default: {a: null}, examples: [{a: null}]}\n"})

    assert schema.codes == [] == list(schema.definitions.findings())
    assert schema.check(fits)
    assert not schema.check(refused)


@pytest.mark.parametrize(
    "text",
    [
        "properties: {a: {const: {x: null}, default: {x: null}}}",
        "const: {x: null}\nexamples: [{x: null}]",
        "enum: [{x: null}]\nexample: {x: null}",
        "type: object\nrequired: [x]\ndefault: {x: ~}",
        "default:",
        "x-note:\nx-more: {type: null, $ref: null}",
    ],
)
def test_a_default_keeps_its_nulls(text):
    assert Schema(text).codes == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("$ref:", (3, 5)),
        ("type: ~", (3, 5)),
        ("minLength: null", (3, 5)),
        ("allOf: [null, {}]", (3, 13)),
        ("properties:\n  a:\n  b: {type: string}", (4, 7)),
        ("patternProperties: {'^a': }", (3, 25)),
        ("items:\n  not:", (4, 7)),
        ("$defs: {a: {b: 1, required: ~}}", (3, 23)),
        ("additionalProperties:", (3, 5)),
        ("description:", (3, 5)),
    ],
)
def test_a_keyword_without_a_value_is_an_error(text, where):
    """Absent it would check nothing, and nobody would know."""
    schema = Schema(text)
    finding = schema.compiled.findings[0] if "b: 1" not in text else schema.compiled.findings[-1]

    assert finding.code == "GS401"
    assert "has no value" in finding.message
    assert (finding.span.line, finding.span.column) == where
    assert schema.compiled.validator is None


def test_a_reference_without_quotes_is_found_in_its_comment():
    schema = Schema("properties:\n  a:\n    $ref: #/definitions/d/K")
    assert schema.rendered == (
        "error[GS401]: `$ref` has no value: in YAML `#/definitions/d/K` is a comment\n"
        "  --> events/e.yaml:5:15\n"
        "   |\n"
        " 5 |         $ref: #/definitions/d/K\n"
        "   |               ^^^^^^^^^^^^^^^^^ a comment, without quotes\n"
        "   = help: quote it: `$ref: '#/definitions/d/K'`\n"
    )


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("$ref: #/a", "quote it: `$ref: '#/a'`"),
        ("$ref:   #item", "quote it: `$ref: '#item'`"),
        ("$ref:\n  #/a\ntype: string", "quote it: `$ref: '#/a'`"),
        ("anyOf:\n  - $ref: #/a\n  - type: string", "quote it: `$ref: '#/a'`"),
        ("items: #/a", "write `$ref: '#/a'` under it; `#` after a space starts a comment"),
        ("allOf:\n  - #/a\n  - type: string", "write `$ref: '#/a'` under it; `#` after a space starts a comment"),
        ("pattern: #[0-9a-f]{6}", "quote it: `'#[0-9a-f]{6}'`"),
        ("pattern: # to do", "give it one, or remove it"),
    ],
)
def test_what_stands_in_the_comment_is_told(text, help):
    (finding,) = Schema(text).compiled.findings
    assert (finding.code, finding.help) == ("GS401", help)


def test_a_definition_without_a_value_is_an_error():
    schema = Schema("$ref: '#/definitions/d/K'", {"definitions/d.yaml": "K:\nL: {type: string}\n"})
    assert [(one.code, one.message) for one in schema.definitions.findings()] == [
        ("GS401", "the definition `K` has no value")
    ]
