"""Schemas closed by a strict source: unknown keys are refused, and nothing else is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gsws.schema import Definitions, compile_schema
from gsws.schema.drafts import DRAFTS
from gsws.yaml.reading import parse_yaml
from tests.schema.test_engines import Corpus

DOCUMENT = parse_yaml("events/e.yaml", b"e: 1\n")
OLD = [draft for draft in DRAFTS if draft.lone_ref]
NEW = [draft for draft in DRAFTS if not draft.lone_ref]
BASE = """
Base: {type: object, properties: {id: {type: string}}, required: [id]}
Cat: {allOf: [{$ref: '#/Base'}, {properties: {lives: {type: integer}}}]}
Tree: {type: object, properties: {name: {}, kids: {type: array, items: {$ref: '#/Tree'}}}}
Open: {type: object, properties: {a: {}}, additionalProperties: true}
Free: {type: object}
"""


def compiled(schema: Any, *, strict: bool, definitions: str = BASE) -> Any:
    files = [parse_yaml("definitions/d.yaml", definitions.encode())]
    return compile_schema(schema, document=DOCUMENT, pointer=("e",), definitions=Definitions(files), strict=strict)


def check(schema: Any, value: Any, *, strict: bool = True) -> bool:
    outcome = compiled(schema, strict=strict)
    assert outcome.validator is not None, outcome.findings
    return bool(outcome.validator.check(value))


A, B, C = ({"properties": {name: {"type": "integer"}}} for name in "abc")
CASES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "object": ({"type": "object", **A}, [{}, {"a": 1}], [{"b": 1}, {"a": 1, "b": 2}]),
    "below": ({"properties": {"a": B}}, [{"a": {"b": 1}}], [{"a": {"c": 1}}]),
    "items": ({"items": A}, [[{"a": 1}]], [[{"b": 1}]]),
    "map": ({"additionalProperties": A}, [{"x": {"a": 1}}], [{"x": {"b": 1}}]),
    "patterns": ({"patternProperties": {"^x": A}}, [{"x1": {"a": 1}}], [{"y": 1}, {"x1": {"b": 1}}]),
    "extended": ({"allOf": [A, B]}, [{"a": 1, "b": 2}], [{"c": 1}, {"a": 1, "c": 1}]),
    "extended twice": ({"allOf": [{"allOf": [A, {"allOf": [B]}]}], **C}, [{"a": 1, "b": 2, "c": 3}], [{"d": 1}]),
    "definition": ({"$ref": "#/definitions/d/Cat"}, [{"id": "x", "lives": 9}], [{"id": "x", "tail": 1}]),
    "definition extended": (
        {"allOf": [{"$ref": "#/definitions/d/Cat"}, A]}, [{"id": "x", "lives": 9, "a": 1}], [{"id": "x", "b": 1}]
    ),
    "definition below": (
        {"properties": {"pet": {"$ref": "#/definitions/d/Cat"}}},
        [{"pet": {"id": "x", "lives": 9}}],
        [{"pet": {"id": "x", "tail": 1}}],
    ),
    "tree": (
        {"$ref": "#/definitions/d/Tree"},
        [{"name": 1, "kids": [{"kids": [{"name": 2}]}]}],
        [{"kids": [{"kids": [{"age": 2}]}]}, {"age": 1}],
    ),
    "own tree": (
        {**A, "type": "object", "patternProperties": {"^k": {"$ref": "#"}}},
        [{"a": 1, "k": {"a": 2, "k": {}}}],
        [{"k": {"b": 1}}, {"k": {"k": {"b": 1}}}],
    ),
    "alternatives": ({"anyOf": [A, {"type": "string"}]}, ["s", {"a": 1}], [{"a": 1, "b": 1}]),
    "beside alternatives": (
        {**A, "anyOf": [{**B, "required": ["b"]}, {**C, "required": ["c"]}]},
        [{"a": 1, "b": 1}, {"c": 1}],
        [{"b": 1, "d": 1}],
    ),
    "one of": (
        {"oneOf": [{**A, "required": ["a"]}, {**B, "required": ["b"]}]}, [{"a": 1}, {"b": 1}], [{"a": 1, "c": 1}]
    ),
    "dependent": (
        {**A, "dependentSchemas": {"a": B}}, [{"a": 1, "b": 2}], [{"a": 1, "c": 1}]
    ),
    "condition": (
        {**A, "if": {"required": ["a"]}, "then": B, "else": C}, [{"a": 1, "b": 1}, {"c": 1}], [{"a": 1, "d": 1}]
    ),
    "not": ({**A, "not": {"properties": {"a": {"const": 1}}, "required": ["a"]}}, [{"a": 2}], [{"a": 2, "b": 1}]),
    "not a definition": (
        {"properties": {"x": {"type": "object"}}, "not": {"properties": {"x": {"$ref": "#/definitions/d/Base"}}}},
        [{"x": {}}],
        [{"x": {"id": "a"}}, {"x": {"id": "a", "more": 1}}],
    ),
    "place that is referred to": (
        {"properties": {"a": B, "x": {"allOf": [{"$ref": "#/properties/a"}, C]}}},
        [{"a": {"b": 1}, "x": {"b": 1, "c": 1}}],
        [{"a": {"b": 1, "c": 1}}, {"x": {"d": 1}}],
    ),
    "says so": ({"properties": {"a": {}}, "additionalProperties": True}, [{"a": 1, "b": 1}], []),
    "says what": ({**A, "additionalProperties": {"type": "string"}}, [{"a": 1, "b": "s"}], [{"b": 1}]),
    "a definition says so": ({"$ref": "#/definitions/d/Open"}, [{"a": 1, "b": 1}], []),
    "a part says so": ({"allOf": [{"$ref": "#/definitions/d/Open"}, A]}, [{"a": 1, "b": 1}], []),
    "describes nothing": ({"type": "object"}, [{"b": 1}], [1]),
    "a definition describes nothing": ({"properties": {"x": {"$ref": "#/definitions/d/Free"}}}, [{"x": {"b": 1}}], []),
    "a value": ({"const": {"properties": {"a": 1}}}, [{"properties": {"a": 1}}], [{}]),
}  # fmt: skip


def written_for(draft: Any, name: str) -> dict[str, Any] | None:
    """A case as a draft says it; None if the draft cannot."""
    schema = CASES[name][0]
    if draft.lone_ref:
        if name == "condition" and draft.name != "draft 7":
            return None
        if name in ("not", "a value") and draft.name == "draft 4":
            return None
        schema = {{"dependentSchemas": "dependencies"}.get(key, key): value for key, value in schema.items()}
    return {"$schema": draft.uri + ("#" if draft.lone_ref else ""), **schema}


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
@pytest.mark.parametrize("name", CASES)
def test_a_closed_schema_refuses_unknown_keys_and_nothing_else(name, draft):
    schema = written_for(draft, name)
    if schema is None:
        return
    _, fits, refused = CASES[name]
    outcome = compiled(schema, strict=True)

    assert [finding for finding in outcome.findings if finding.code != "GS403"] == []
    for value in fits:
        assert outcome.validator.check(value), value
        assert outcome.validator.explain(value) == []
    for value in refused:
        assert not outcome.validator.check(value), value
        assert outcome.validator.explain(value)


@pytest.mark.parametrize("draft", NEW, ids=lambda draft: draft.name)
def test_only_the_alternative_that_applies_counts_where_the_draft_can_say_it(draft):
    schema = {"$schema": draft.uri, "anyOf": [{**A, "required": ["a"]}, {**B, "required": ["b"]}]}
    assert check(schema, {"a": 1})
    assert check(schema, {"a": 1, "b": 1})
    assert not check(schema, {"a": 1, "b": "no integer"})


@pytest.mark.parametrize("draft", OLD, ids=lambda draft: draft.name)
def test_an_old_draft_gets_no_keyword_that_it_does_not_know(draft):
    """And no finding about one that nobody wrote."""
    for name in CASES:
        schema = written_for(draft, name)
        if schema is not None:
            found = compiled(schema, strict=True).findings
            assert found == compiled(schema, strict=False).findings


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_closing_never_lets_more_through(draft):
    """Whatever the schema, a value that a strict source takes is one that the schema takes."""
    corpus = Corpus(11, draft.name)
    chance = random.Random(3)
    judged = refused = 0
    for _ in range(400):
        schema = corpus.schema()
        if not isinstance(schema, dict):
            continue
        schema = {"$schema": draft.uri + ("#" if draft.lone_ref else ""), "definitions": {"one": A}, **schema}
        open_, strict = (compiled(schema, strict=strict).validator for strict in (False, True))
        if open_ is None:
            assert strict is None
            continue
        for _ in range(5):
            value = corpus.value(chance.randint(1, 3))
            judged += 1
            refused += open_.check(value) and not strict.check(value)
            assert open_.check(value) or not strict.check(value), (schema, value)
    assert judged > 500
    assert refused


def test_the_unexpected_key_is_named():
    schema = {"allOf": [{"$ref": "#/definitions/d/Base"}, A]}
    (error,) = compiled(schema, strict=True).validator.explain({"id": "x", "aa": 1})
    assert (error.pointer, error.keyword) == ("", "unevaluatedProperties")
    assert error.message == 'unexpected key "aa"'
