"""Schemas whose check would take for ever are told apart before anything runs; odd ones break nothing."""

from __future__ import annotations

import random
import sys
from itertools import product
from typing import Any

import pytest

from gsws.schema import Definitions, compile_schema
from gsws.schema.check import isolated
from gsws.yaml.reading import parse_yaml
from tests.schema.helpers import Schema

DOCUMENT = parse_yaml("events/e.yaml", b"e: 1\n")


def compiled(schema: Any) -> Any:
    return compile_schema(schema, document=DOCUMENT, pointer=("e",), definitions=Definitions())


def ladder(keyword: str, rungs: int, width: int, end: Any) -> dict[str, Any]:
    """Each rung refers to the next one several times."""

    def step(name: str) -> dict[str, Any]:
        inner = {"$ref": f"#/$defs/{name}"}
        match keyword:
            case "if":
                return {"if": inner, "then": inner, "else": inner}
            case "not":
                return {"allOf": [{"not": inner}] * width}
            case "dependentSchemas":
                return {"dependentSchemas": {f"p{number}": inner for number in range(width)}}
            case "properties":
                return {"allOf": [{"properties": {"a": inner}}] * width}
            case "items":
                return {"anyOf": [{"items": inner}] * width}
        return {keyword: [inner] * width}

    definitions = {f"r{number}": step(f"r{number + 1}") for number in range(rungs)}
    return {"$ref": "#/$defs/r0", "$defs": {**definitions, f"r{rungs}": end}, "default": 1, "examples": [{"a": 1}]}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "properties", "items"])
def test_alternatives_that_multiply_are_refused_at_once(keyword):
    outcome = compiled(ladder(keyword, 16, 8, {"type": "string"}))

    assert "GS411" in [finding.code for finding in outcome.findings]
    assert outcome.validator is None


def test_the_limit_lies_beyond_what_people_write():
    outcome = compiled(ladder("anyOf", 5, 8, {"type": "integer"}))
    assert [finding.code for finding in outcome.findings] == ["GS409"]
    assert outcome.validator.check(1)


def test_what_leads_in_a_circle_is_remembered_by_the_engine():
    """A tree of alternatives is no ladder: each value is checked once against each of its schemas."""
    branch = {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}
    outcome = compiled({"type": "object", "anyOf": [{**branch, "required": [name]} for name in "abcdefgh"]})
    value: Any = {}
    for _ in range(60):
        value = {"a": value, "b": 1}

    assert outcome.findings == ()
    assert not outcome.validator.check(value)


@pytest.mark.parametrize(
    "place",
    [
        lambda n: {"anyOf": [{"required": [f"a{n}"]}, {"required": [f"b{n}"]}]},
        lambda n: {"oneOf": [{"required": [f"a{n}"]}, {"required": [f"b{n}"]}]},
        lambda n: {"not": {"allOf": [{"required": [f"a{n}"]}, {"required": [f"b{n}"]}]}},
        lambda n: {"if": {"required": [f"a{n}"]}, "then": {"required": [f"b{n}"]}, "else": {"maxProperties": n + 3}},
    ],
)
def test_cases_that_multiply_are_not_looked_at_for_a_proof(place):
    """Two alternatives on each of forty places are a trillion cases; none of them is needed to serve."""
    outcome = compiled({"allOf": [place(number) for number in range(40)]})
    assert outcome.findings == ()
    assert outcome.validator is not None


ODD: list[Any] = [
    None, True, 1, -1.5, [], {}, "", "#", "#/", "##", "#/#", "/", "//", "///", "http://[", "http://[::1", "//[", "a:b",
    "#/allOf/0", "#/allOf/" + "9" * 5_000, "#/allOf/\u0663", "#/allOf/-1", "#/allOf/01", "#/%", "#/%ff%fe", "#/%zz",
    "#/~2", "#~", "?", "?#", "\\", "..\\..", "\x7f", "\u202e", "x" * 100_000, "#/" + "a/" * 5_000, "#" + "é" * 1_000,
    "urn:", "data:,", "file://", "gsws:///#", "http://a:99999/", "http://a/\n", [["#"]], {"$ref": "#"},
]  # fmt: skip


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$schema"])
@pytest.mark.parametrize(
    "draft", [None, "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#"]
)
def test_odd_references_are_findings_or_nothing(keyword, draft):
    """No value of a keyword that names or refers makes a rule fail, alone or inside of a base."""
    for value, base in product(ODD, [None, "http://a/", "http://["]):
        schema: dict[str, Any] = {"properties": {"a": {keyword: value, "type": "string"}}, "allOf": [{}]}
        if base is not None:
            schema["$id"] = base
        if draft is not None:
            schema["$schema"] = draft
        for one in (schema, {**schema, keyword: value}):
            outcome = compiled(one)
            assert "GS901" not in [finding.code for finding in outcome.findings], (value, outcome.findings)
            if outcome.validator is not None:
                outcome.validator.explain({"a": 1})


def test_random_graphs_of_references_are_judged():
    """Circles, dead ends and forks of a thousand small schemas, each within a moment."""
    chance = random.Random(7)
    applicators = ["allOf", "anyOf", "oneOf", "not", "if", "then", "items", "properties", "$ref", "dependentSchemas"]
    for _ in range(1_000):
        names = [f"s{number}" for number in range(chance.randint(1, 7))]

        def reference(names: list[str] = names) -> dict[str, Any]:
            return {"$ref": f"#/$defs/{chance.choice(names)}"}

        definitions: dict[str, Any] = {}
        for name in names:
            one: dict[str, Any] = {"type": chance.choice(["string", "object", ["object", "array"]])}
            for keyword in chance.sample(applicators, 2):
                match keyword:
                    case "allOf" | "anyOf" | "oneOf":
                        one[keyword] = [reference() for _ in range(chance.randint(1, 3))]
                    case "properties" | "dependentSchemas":
                        one[keyword] = {"a": reference(), "b": reference()}
                        one["required"] = ["a"]
                    case "$ref":
                        one |= reference()
                    case _:
                        one[keyword] = reference()
            definitions[name] = one
        schema = {"$defs": definitions, **reference(), "default": {"a": {"a": 1}}}
        outcome = compiled(schema)
        assert "GS901" not in [finding.code for finding in outcome.findings], schema
        assert outcome.validator is not None or any(one.severity.value == "error" for one in outcome.findings), schema


def test_a_rule_that_fails_is_named_and_the_others_run(monkeypatch):
    def broken(*_: object, **__: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("gsws.schema.check.contradictions", broken)
    schema = Schema("type: integer\nmaxLenght: 1\ndefault: x")

    assert sorted(schema.codes) == ["GS402", "GS409", "GS901"]
    failed = next(one for one in schema.compiled.findings if one.code == "GS901")
    assert failed.message.startswith("the rule `contradictions` failed at test_work.py:")


def test_a_rule_keeps_what_it_found_before_it_failed():
    def rule() -> Any:
        yield from ()
        raise KeyError("x")

    (remark,) = isolated("mine", (), rule)
    assert (remark.code, "`mine`" in remark.message, "KeyError" in remark.message) == ("GS901", True, True)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {
            "properties": {f"p{i}": {"$ref": "#/$defs/x"} for i in range(n)},
            "$defs": {"x": {"type": "string"}},
        },
        lambda n: {"properties": {f"p{i}": {"$ref": f"#/$defs/lost{i}"} for i in range(n)}},
        lambda n: {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(n)} | {f"d{n}": {}}},
        lambda n: {"anyOf": [{"type": "integer", "const": str(i)} for i in range(n)]},
        lambda n: {"enum": [f"e{i}" for i in range(n)], "type": "string"},
        lambda n: {"required": [f"e{i}" for i in range(n)], "properties": {}},
        lambda n: {"properties": {f"p{i}": {"tpye": "string"} for i in range(n)}},
        lambda n: {"properties": {f"p{i}": {"default": i, "type": "string"} for i in range(n)}},
        lambda n: {"allOf": [{"$id": f"http://a/{i}", "$anchor": "x"} for i in range(n)]},
    ],
    ids=["references", "lost", "chain", "anyOf", "enum", "required", "misspelt", "defaults", "ids"],
)
def test_work_grows_with_the_size_of_a_schema(make):
    """Eight times the schema makes less than sixteen times the calls; a square would be sixty-four."""

    def calls(count: int) -> int:
        schema = make(count)
        made = 0

        def counted(*_: object) -> None:
            nonlocal made
            made += 1

        sys.setprofile(counted)
        try:
            compiled(schema)
        finally:
            sys.setprofile(None)
        return made

    assert calls(3_200) < 16 * calls(400)
