"""Keywords and formats that a draft does not know: misspelt ones stop a project, other tools' do not."""

from __future__ import annotations

import pytest

from gsws.diagnostics import Severity
from gsws.diagnostics.fix import apply_fixes
from gsws.yaml.reading import parse_yaml
from tests.schema.helpers import Schema

SEVEN = "$schema: http://json-schema.org/draft-07/schema#\n"
FOUR = "$schema: http://json-schema.org/draft-04/schema#\n"


def severities(text: str) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in Schema(text).compiled.findings]


@pytest.mark.parametrize(
    "text",
    [
        "maxLenght: 3",
        "requird: [a]",
        "aditionalProperties: false",
        "type: string\npatern: a",
        "dependencies: {a: [b]}",
        "properties: {a: {type: string, optional: true}}",
        "format: emial",
        "format: datetime",
    ],
)
def test_what_was_meant_otherwise_is_an_error(text):
    assert severities(text) == [("GS402", Severity.ERROR)]


@pytest.mark.parametrize(
    "text",
    [
        "nullable: true",
        "xml: {name: a}",
        "externalDocs: {url: 'http://a.b'}",
        "discriminator: {propertyName: kind}\noneOf: [{$ref: '#/$defs/a'}, {type: 'null'}]\n$defs: {a: {type: object}}",
        "markdownDescription: '*a*'",
        "enumDescriptions: [a, b]",
        "titles: [a, b]",
        "tsType: Date",
        "propertyOrder: 1",
        "options: {hidden: true}",
        "instanceof: Date",
        "require: true",
        FOUR + "const: 1",
        FOUR + "if: {}",
        SEVEN + "dependentRequired: {a: [b]}",
        SEVEN + "unevaluatedProperties: false",
        "format: int32",
        "format: file-path",
        "format: uuid4",
        "format: ulid",
        "format: xyzzy",
    ],
)
def test_what_other_tools_write_is_a_warning(text):
    schema = Schema(text)
    assert severities(text) == [("GS402", Severity.WARNING)]
    assert schema.compiled.validator is not None


@pytest.mark.parametrize(
    "text",
    [
        "x-anything: 1",
        "example: 1",
        SEVEN + "$defs: {a: {type: integer}}\nproperties: {b: {$ref: '#/$defs/a'}}",
        SEVEN + "deprecated: true",
        FOUR + "examples: [1]",
        "discriminator: {propertyName: kind}\n"
        "oneOf: [{$ref: '#/$defs/a'}, {type: object, properties: {kind: {enum: [b, c]}}}]\n"
        "$defs: {a: {type: object, properties: {kind: {const: a}}}}",
    ],
)
def test_what_works_all_the_same_is_not_mentioned(text):
    assert severities(text) == []


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("type: string\nnullable: true", "write `type: [string, 'null']`"),
        ("type: [integer, number]\nnullable: true", "write `type: [integer, number, 'null']`"),
        ("type: string\nnullable: false", "leave it out"),
        ("type: [string, 'null']\nnullable: true", "leave it out"),
        ("$ref: '#/$defs/a'\nnullable: true\n$defs: {a: {}}", "write `anyOf: [{$ref: ...}, {type: 'null'}]`"),
        (
            "type: string\nenum: [a]\nnullable: true",
            "list null among the values too: `enum: [..., null]`, and write `type: [..., 'null']`",
        ),
    ],
)
def test_the_help_for_nullable_knows_the_type(text, help):
    (finding,) = Schema(text).compiled.findings
    assert finding.help == help


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("type: string\nnullable: true  # yes\ntitle: a", "type: [string, 'null']\ntitle: a"),
        ("properties:\n  a: {type: string, nullable: true}", "properties:\n  a: {type: [string, 'null']}"),
        ("properties:\n  a: {nullable: true, type: string}", "properties:\n  a: {type: [string, 'null']}"),
        ("items:\n  nullable: true\n  type: integer", "items:\n  type: [integer, 'null']"),
    ],
)
def test_the_repair_of_nullable_allows_null_and_nothing_else(before, after):
    schema = Schema(before)
    (path,) = schema.texts
    repaired = apply_fixes(schema.compiled.findings, schema.texts.get)

    assert (
        parse_yaml(path, repaired.texts[path].encode()).data["e"]["payload"]
        == Schema(after).document.data["e"]["payload"]
    )


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("int", "did you mean `integer`?"),
        ("str", "did you mean `string`?"),
        ("bool", "did you mean `boolean`?"),
        ("float", "did you mean `number`?"),
        ("dict", "did you mean `object`?"),
        ("list", "did you mean `array`?"),
        ("None", "did you mean `null`?"),
        ("Decimal", "did you mean `number`?"),
        ("object[]", "write `type: array`, and `items: {type: object}`"),
        ("int[]", "write `type: array`, and `items: {type: integer}`"),
        ("[string, int]", "did you mean `integer`?"),
        ("strng", "did you mean `string`?"),
    ],
)
def test_the_words_of_programming_languages_are_known(written, help):
    (finding,) = Schema(f"type: {written}").compiled.findings
    assert (finding.code, finding.help) == ("GS401", help)


def test_a_repair_is_offered_only_if_the_value_fits():
    (finding,) = Schema("maxLenght: 3").compiled.findings
    assert finding.fix is not None
    (finding,) = Schema("require: true").compiled.findings
    assert finding.fix is None
    (finding,) = Schema("format: emial").compiled.findings
    assert finding.fix is None


def test_an_alternative_that_nothing_fits_is_a_warning():
    assert severities("anyOf: [{type: string}, {type: integer, const: a}]") == [("GS410", Severity.WARNING)]
    assert severities("type: integer\nconst: a") == [("GS410", Severity.ERROR)]
    assert severities("false") == [("GS410", Severity.WARNING)]
    assert not Schema("false").check(1)


def test_a_sample_that_does_not_fit_is_a_warning():
    schema = Schema("type: integer\ndefault: x\nexamples: [1, y]")
    assert severities("type: integer\ndefault: x\nexamples: [1, y]") == [("GS409", Severity.WARNING)] * 2
    assert schema.check(1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("type: string\nnullable: true   # keep me\n", "type: [string, 'null']\n# keep me\n"),
        ("nullable: true # first\ntype: string\n", "# first\ntype: [string, 'null']\n"),
        ("a: 1\nitems:\n  type: string # one\n  nullable: true # two\n", "type: [string, 'null'] # one\n  # two\n"),
    ],
)
def test_the_comment_of_a_removed_line_stays(before, after):
    schema = Schema(before)
    ((path, text),) = schema.texts.items()
    repaired = apply_fixes(schema.compiled.findings, schema.texts.get).texts[path]
    flat = "\n".join(line.strip() for line in after.splitlines())
    assert flat in "\n".join(line.strip() for line in repaired.splitlines())
    assert repaired.count("#") == text.count("#")


def test_a_comment_inside_of_an_entry_keeps_the_entry():
    (finding,) = Schema("type: string\nnullable: # why\n  true\n").compiled.findings
    assert finding.fix is None


NULLABLE = "{type: string, nullable: true}"


@pytest.mark.parametrize(
    "text",
    [
        f"oneOf: [{NULLABLE}, {{type: 'null'}}]",
        f"not: {NULLABLE}",
        f"not: {{items: {NULLABLE}}}",
        f"if: {{properties: {{a: {NULLABLE}}}}}\nthen: {{required: [b]}}",
        f"contains: {NULLABLE}\nmaxContains: 1",
        f"dependentSchemas: {{a: {{properties: {{b: {NULLABLE}}}}}}}",
        f"unevaluatedProperties: {NULLABLE}",
        f"not: {{$ref: '#/$defs/a'}}\n$defs: {{a: {NULLABLE}}}",
        f"properties: {{a: {NULLABLE}, b: {{not: {{$ref: '#/properties/a'}}}}}}",
    ],
)
def test_nullable_is_not_repaired_where_more_may_be_refused_by_it(text):
    """What is told stays; who accepts null there refuses something elsewhere."""
    (finding,) = [one for one in Schema(text).compiled.findings if "`nullable`" in one.message]
    assert (finding.code, finding.fix) == ("GS402", None)


@pytest.mark.parametrize(
    "text",
    [
        f"allOf: [{{properties: {{a: {NULLABLE}}}}}]",
        f"anyOf: [{NULLABLE}, {{type: integer}}]",
        f"properties: {{a: {NULLABLE}, b: {{not: {{type: 'null'}}}}}}",
        f"$ref: '#/$defs/a'\n$defs: {{a: {NULLABLE}}}",
    ],
)
def test_nullable_is_repaired_where_more_is_accepted_by_it(text):
    (finding,) = [one for one in Schema(text).compiled.findings if "`nullable`" in one.message]
    assert finding.fix is not None
