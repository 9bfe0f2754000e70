"""What is found in a schema when the project loads, and what stays compiled."""

from __future__ import annotations

import pytest

from gsws.diagnostics import CATALOGUE, Severity
from gsws.schema import Definitions, compile_schema
from gsws.yaml.reading import parse_yaml
from tests.schema.helpers import Schema


def test_a_sound_schema_has_no_findings():
    schema = Schema(
        """
type: object
required: [message]
additionalProperties: false
properties:
  message: {type: string, minLength: 1, default: hi, examples: [hello], x-note: mine}
  to: {anyOf: [{type: 'null'}, {type: string, format: email}]}
"""
    )
    assert schema.codes == []
    assert schema.check({"message": "x", "to": "a@b.org"})
    assert not schema.check({"message": "x", "to": "nobody"})


def test_check_is_the_engines_own_method():
    """No wrapper on the hot path."""
    validator = Schema("type: string").compiled.validator
    assert type(validator.check).__name__ == "builtin_function_or_method"


def test_every_finding_stands_at_its_place():
    schema = Schema(
        """
type: objct
requird: [a]
properties:
  a: {minLength: x, format: emial}
  b: 5
  c: {pattern: '^(a', required: true}
"""
    )
    assert schema.compiled.validator is None
    assert schema.rendered == (
        "error[GS401]: `type` must be one of `array`, `boolean`, `integer`, `null`, `number`, `object`, `string`, "
        "or a list of them, not `objct`\n"
        "  --> events/e.yaml:3:11\n"
        "   |\n"
        " 3 |     type: objct\n"
        "   |           ^^^^^ not a type\n"
        "   = help: did you mean `object`?\n"
        "\n"
        "error[GS402]: unknown schema keyword `requird`; it would check nothing\n"
        "  --> events/e.yaml:4:5\n"
        "   |\n"
        " 4 |     requird: [a]\n"
        "   |     ^^^^^^^ not a keyword\n"
        "   = help: did you mean `required`?\n"
        "\n"
        "error[GS401]: `minLength` must be a whole number from 0, not `x`\n"
        "  --> events/e.yaml:6:22\n"
        "   |\n"
        " 6 |       a: {minLength: x, format: emial}\n"
        "   |                      ^\n"
        "\n"
        "error[GS402]: unknown format `emial`; it would check nothing\n"
        "  --> events/e.yaml:6:33\n"
        "   |\n"
        " 6 |       a: {minLength: x, format: emial}\n"
        "   |                                 ^^^^^ not a format\n"
        "   = help: did you mean `email`?\n"
        "\n"
        "error[GS401]: `b` under `properties` must be a schema: a mapping, `true` or `false`, not `5`\n"
        "  --> events/e.yaml:7:10\n"
        "   |\n"
        " 7 |       b: 5\n"
        "   |          ^\n"
        "\n"
        "error[GS408]: `^(a` is no regular expression of ECMA-262: it has a `(` without a `)`\n"
        "  --> events/e.yaml:8:20\n"
        "   |\n"
        " 8 |       c: {pattern: '^(a', required: true}\n"
        "   |                    ^^^^^ not understood\n"
        "   = help: a literal `(` is written `\\(`\n"
        "\n"
        "error[GS401]: `required` must be a list of names, each once, not `true`\n"
        "  --> events/e.yaml:8:37\n"
        "   |\n"
        " 8 |       c: {pattern: '^(a', required: true}\n"
        "   |                                     ^^^^\n"
        "   = help: list the required names beside `properties`: `required: [a, b]`\n"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("maxLenght: 3", "GS402"),
        ("nullable: true", "GS402"),
        ("format: emial", "GS402"),
        ("dependencies: {a: [b]}", "GS402"),
        ("$schema: http://json-schema.org/draft-04/schema#\nconst: 1", "GS402"),
        ("type: [string, nul]", "GS401"),
        ("items: [{type: string}]", "GS401"),
        ("required: [a, a]", "GS401"),
        ("enum: x", "GS401"),
        ("anyOf: []", "GS401"),
        ("minLength: -1", "GS401"),
        ("multipleOf: 0", "GS401"),
        ("$schema: http://example.com/mine", "GS401"),
        ("pattern: '['", "GS408"),
        ("pattern: '(a{1000}){1000}'", "GS408"),
        ("patternProperties: {'(': {}}", "GS408"),
        ("type: integer\ndefault: x", "GS409"),
        ("type: integer\nexamples: [1, x]", "GS409"),
        ("properties: {a: {type: integer, default: x}}", "GS409"),
        ("format: date\nexample: tomorrow", "GS409"),
        ("minLength: 5\nmaxLength: 3", "GS410"),
        ("minimum: 5\nmaximum: 3", "GS410"),
        ("enum: []", "GS410"),
        ("type: string\nenum: [1, 2]", "GS410"),
        ("type: object\nrequired: [a]\nproperties: {a: false}", "GS410"),
        ("properties: {a: {type: string, const: 1}}", "GS410"),
    ],
)
def test_a_schema_that_cannot_be_meant_is_one_error(text, code):
    schema = Schema(text)
    assert schema.codes == [code]
    # What a comment may silence is enforced as it stands.
    assert (schema.compiled.validator is None) == (not CATALOGUE[code].ignorable)


@pytest.mark.parametrize(
    "text",
    [
        "not: {}",
        "additionalProperties: false",
        "not: {minLength: 5, maxLength: 3}",
        "x-anything: {a: 1}",
        "$comment: no keyword here",
        "minLength: 5\nmaxLength: 5",
        "const: null",
        "enum: [null]",
        "default: null",
        "pattern: '^(?=.*\\d)(?=.*[a-z]).{8,}$'",
        "type: string\nformat: uuid",
        "definitions: {a: {type: string}}\n$ref: '#/definitions/a'",
    ],
)
def test_unusual_but_sound_schemas_pass(text):
    schema = Schema(text)
    assert schema.codes == []
    assert schema.compiled.validator is not None


def test_a_format_of_openapi_is_a_warning():
    schema = Schema("type: integer\nformat: int32")
    assert [(finding.code, finding.severity) for finding in schema.compiled.findings] == [("GS402", Severity.WARNING)]
    assert schema.check(5)


def test_a_required_name_that_is_not_described_is_a_warning():
    schema = Schema("type: object\nproperties: {message: {}}\nrequired: [mesage]")
    assert schema.codes == ["GS403"]
    assert schema.compiled.findings[0].help == "did you mean `message`?"
    assert schema.compiled.validator is not None
    assert Schema("allOf: [{properties: {a: {}}}, {properties: {}, required: [a]}]").codes == []


def test_findings_are_no_flood():
    schema = Schema("properties:\n" + "".join(f"  p{n}: {{nope: 1}}\n" for n in range(500)))
    assert 40 < len(schema.compiled.findings) <= 60


@pytest.mark.parametrize(
    ("uri", "keywords", "refused"),
    [
        ("https://json-schema.org/draft/2020-12/schema", "prefixItems: [{type: string}]\nitems: false", [1]),
        ("https://json-schema.org/draft/2019-09/schema", "items: [{type: string}]\nadditionalItems: false", ["a", 1]),
        ("http://json-schema.org/draft-07/schema#", "if: {type: integer}\nthen: {minimum: 5}", 3),
        ("http://json-schema.org/draft-06/schema", "contains: {const: 1}", [2]),
        ("http://json-schema.org/draft-04/schema#", "type: integer\nminimum: 5\nexclusiveMinimum: true", 5),
    ],
)
def test_the_draft_is_the_one_that_schema_names(uri, keywords, refused):
    schema = Schema(f"$schema: {uri}\n{keywords}")
    assert schema.codes == []
    assert not schema.check(refused)
    assert schema.explain(refused)


@pytest.mark.parametrize("uri", ["", *(f"http://json-schema.org/draft-0{n}/schema#" for n in (4, 6, 7))])
def test_formats_are_asserted_in_every_draft(uri):
    """Drafts too old to know a format check it like the newest."""
    for name, bad, good in (
        ("uuid", "no", "123e4567-e89b-12d3-a456-426614174000"),
        ("date-time", "today", "2026-01-01T00:00:00Z"),
        ("uri-reference", "a b", "/a"),
        ("duration", "1h", "PT1H"),
    ):
        schema = Schema((f"$schema: {uri}\n" if uri else "") + f"format: {name}")
        assert schema.codes == []
        assert not schema.check(bad)
        assert schema.check(good)
        assert schema.check(5)


def test_a_circle_without_an_end_is_an_error():
    schema = Schema("allOf: [{$ref: '#/$defs/a'}]\n$defs:\n  a: {$ref: '#/$defs/b'}\n  b: {$ref: '#/$defs/a'}\n")
    assert schema.codes == ["GS405", "GS405"]
    assert Schema("$ref: '#'").codes == ["GS405"]
    assert Schema("type: object\nproperties: {next: {$ref: '#'}}\nrequired: [next]").codes == ["GS405"]
    assert Schema("type: array\nitems: {$ref: '#'}\nminItems: 1").codes == ["GS405"]


def test_circles_that_end_are_trees():
    tree = Schema(
        """
type: object
properties:
  children: {type: array, items: {$ref: '#'}}
  parent: {anyOf: [{type: 'null'}, {$ref: '#'}]}
required: [parent]
"""
    )
    assert tree.codes == []
    assert tree.check({"parent": {"parent": None}, "children": [{"parent": None}]})
    assert tree.reasons({"parent": None, "children": [{}]}) == [("/children/0", "required")]


def test_what_was_compiled_is_kept_by_content():
    """A reload compiles what has changed only, wherever the schema now stands."""
    first = Schema("type: string\nmaxLength: 7")
    again = Schema("type: string\nmaxLength: 7")
    other = Schema("type: string\nmaxLength: 8")
    assert first.compiled.validator is again.compiled.validator
    assert first.compiled.validator is not other.compiled.validator


def test_what_refers_to_a_definition_changes_with_it():
    reference = "$ref: '#/definitions/chat/Text'"
    strings = Schema(reference, {"definitions/chat.yaml": "Text: {type: string}\n"})
    numbers = Schema(reference, {"definitions/chat.yaml": "Text: {type: integer}\n"})
    absent = Schema(reference, {"definitions/chat.yaml": "Texts: {type: integer}\n"})
    assert strings.check("a")
    assert not numbers.check("a")
    assert absent.codes == ["GS404"]


def test_findings_move_with_the_text():
    definitions = Definitions()
    for above in (0, 3):
        document = parse_yaml("events/e.yaml", ("#\n" * above + "e: {payload: {typ: string}}\n").encode())
        schema = document.data["e"]["payload"]
        (finding,) = compile_schema(
            schema, document=document, pointer=("e", "payload"), definitions=definitions
        ).findings
        assert (finding.code, finding.span.line) == ("GS402", above + 1)
        assert finding.fix.edits[0].replacement == "type"


def test_a_schema_that_is_none_is_an_error():
    document = parse_yaml("events/e.yaml", b"e: {payload: [1]}\n")
    compiled = compile_schema([1], document=document, pointer=("e", "payload"), definitions=Definitions())
    assert [finding.code for finding in compiled.findings] == ["GS401"]
