"""
The engine that runs, jsonschema-rs, against `jsonschema` as the oracle, on a generated corpus.

Where the two differ is listed in `docs/reference/json-schema.md`; the generator stays out of those corners, and each
of them has a test of its own here.
"""

from __future__ import annotations

import random
from typing import Any

import jsonschema
import pytest

from gsws.schema import Definitions, compile_schema
from gsws.schema.drafts import DRAFTS
from gsws.yaml.reading import parse_yaml

ORACLES = {
    "draft 2020-12": jsonschema.Draft202012Validator,
    "draft 2019-09": jsonschema.Draft201909Validator,
    "draft 7": jsonschema.Draft7Validator,
    "draft 6": jsonschema.Draft6Validator,
    "draft 4": jsonschema.Draft4Validator,
}
PAIRS_A_DRAFT = 1_000
NAMES = ["a", "b", "c", "x/y"]
TEXTS = ["", "a", "b", "ab", "abc", "2026-01-01", "a@b.org", "http://a.b/c", "127.0.0.1"]
NUMBERS = [-1, 0, 1, 2, 3, 10, 2**63, 0.5, 1.5, -2.25, 1e10]


class Corpus:
    """Random schemas of one draft and values that have a chance to fit them."""

    def __init__(self, seed: int, draft: str) -> None:
        self.random = random.Random(seed)
        self.new = draft in ("draft 2020-12", "draft 2019-09")
        self.tuples = "prefixItems" if draft == "draft 2020-12" else "items"
        self.four = draft == "draft 4"
        self.seven = not self.four and draft != "draft 6"

    def schema(self, depth: int = 3) -> Any:
        pick = self.random.choice
        if depth < 3 and not self.four and self.random.random() < 0.08:
            return pick([True, True, False])
        schema: dict[str, Any] = {}
        if self.random.random() < 0.5:
            kind = pick(["object", "array", "string", "integer", "number", "boolean", "null"])
            schema["type"] = kind if self.random.random() < 0.8 else [kind, "null"] if kind != "null" else kind
        makers = [self.text, self.number, self.object, self.array, self.choice]
        for maker in self.random.sample(makers, 2):
            maker(schema, depth)
        if depth and self.random.random() < 0.3:
            keyword = pick(["allOf", "anyOf", "oneOf"])
            schema[keyword] = [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]
        if depth and self.random.random() < 0.1:
            schema["not"] = self.schema(depth - 1)
        if depth and self.seven and self.random.random() < 0.15:
            schema["if"] = self.schema(depth - 1)
            schema["then"] = self.schema(depth - 1)
            schema["else"] = self.schema(depth - 1)
        if depth < 3 and self.random.random() < 0.08:
            # at the top of a value only: `anyOf: [{$ref: '#'}]` never ends in the oracle
            schema = pick([{"properties": {"a": {"$ref": "#"}}}, {"$ref": "#/definitions/one"}])
        return schema

    def text(self, schema: dict[str, Any], depth: int) -> None:
        pick = self.random.choice
        keyword = pick(["minLength", "maxLength", "pattern", "format"])
        schema[keyword] = {
            "pattern": pick(["^a", "b$", "^[a-c]+$", "a|b", "^.{2}$"]),
            "format": pick(["date", "ipv4"] if self.seven else ["ipv4", "ipv4"]),
        }.get(keyword, self.random.randint(0, 3))

    def number(self, schema: dict[str, Any], depth: int) -> None:
        pick = self.random.choice
        keyword = pick(["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"])
        if keyword.startswith("exclusive") and self.four:
            schema[keyword.replace("exclusiveM", "m")] = pick([0, 1, 2])
            schema[keyword] = pick([True, False])
        else:
            schema[keyword] = pick([1, 2, 3]) if keyword == "multipleOf" else pick([-1, 0, 1, 2, 1.5])

    def object(self, schema: dict[str, Any], depth: int) -> None:
        if not depth:
            schema["required"] = [self.random.choice(NAMES)]
            return
        chance = self.random.random
        if chance() < 0.7:
            schema["properties"] = {name: self.schema(depth - 1) for name in self.random.sample(NAMES, 2)}
        if chance() < 0.4:
            schema["required"] = self.random.sample(NAMES, self.random.randint(1, 2))
        if chance() < 0.3:
            schema["additionalProperties"] = False if chance() < 0.5 else self.schema(depth - 1)
        if chance() < 0.2:
            schema["patternProperties"] = {"^[ab]$": self.schema(depth - 1)}
        if chance() < 0.1:
            schema[self.random.choice(["minProperties", "maxProperties"])] = self.random.randint(0, 2)
        if chance() < 0.1 and not self.four:
            schema["propertyNames"] = {"maxLength": 1}
        if chance() < 0.1:
            schema["dependentRequired" if self.new else "dependencies"] = {"a": ["b"]}
        if chance() < 0.1 and self.new:
            schema["unevaluatedProperties"] = False

    def array(self, schema: dict[str, Any], depth: int) -> None:
        if not depth:
            schema["maxItems"] = self.random.randint(0, 2)
            return
        chance = self.random.random
        if chance() < 0.3:
            schema[self.tuples] = [self.schema(depth - 1) for _ in range(2)]
            if chance() < 0.5:
                other = "items" if self.tuples == "prefixItems" else "additionalItems"
                schema[other] = {"type": "integer"}
        elif chance() < 0.8:
            schema["items"] = self.schema(depth - 1)
        if chance() < 0.2:
            schema["uniqueItems"] = True
        if chance() < 0.2:
            schema[self.random.choice(["minItems", "maxItems"])] = self.random.randint(0, 3)
        if chance() < 0.2 and not self.four:
            schema["contains"] = self.schema(depth - 1)

    def choice(self, schema: dict[str, Any], depth: int) -> None:
        if self.random.random() < 0.4:
            values = [self.value(1) for _ in range(3)]
            schema["enum"] = [value for number, value in enumerate(values) if value not in values[:number]]

    def value(self, depth: int = 3) -> Any:
        kind = self.random.randint(0, 6 if depth else 3)
        if kind == 0:
            return self.random.choice([None, True, False])
        if kind in (1, 2):
            return self.random.choice(TEXTS)
        if kind == 3:
            return self.random.choice(NUMBERS)
        if kind == 4:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        return {name: self.value(depth - 1) for name in self.random.sample(NAMES, self.random.randint(0, 3))}


def compiled(schema: Any):
    document = parse_yaml("events/e.yaml", b"{}")
    return compile_schema(schema, document=document, pointer=(), definitions=Definitions())


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_both_engines_agree_on_a_generated_corpus(draft):
    """They agree on every value, and every reason that is given is one of the oracle's."""
    seed = 20_260_000 + DRAFTS.index(draft)
    print(f"seed {seed}")  # printed by pytest when the test fails
    corpus = Corpus(seed, draft.name)
    pairs = refused = 0
    while pairs < PAIRS_A_DRAFT:
        schema = {**corpus.schema(), "$schema": draft.uri + ("#" if draft.lone_ref else "")}
        schema["definitions"] = {"one": {"type": "string"}}
        result = compiled(schema)
        if result.validator is None:
            assert {finding.code for finding in result.findings} & {"GS405", "GS410"}, (schema, result.findings)
            continue
        oracle = ORACLES[draft.name](schema, format_checker=ORACLES[draft.name].FORMAT_CHECKER)
        for _ in range(10):
            pairs += 1
            value = corpus.value()
            fits = oracle.is_valid(value)
            assert result.validator.check(value) == fits, (schema, value)
            if not fits:
                refused += 1
                assert unfounded(result.validator.explain(value), oracle, value) == [], (schema, value)
    assert pairs // 10 < refused < pairs


def unfounded(errors: list[Any], oracle: Any, value: Any) -> list[Any]:
    """The errors that the oracle does not give; it has no keyword and no place for the schema ``false``."""
    known = set()
    for error in oracle.iter_errors(value):
        pointer = "".join(f"/{str(item).replace('~', '~0').replace('/', '~1')}" for item in error.absolute_path)
        known.add((pointer, error.validator or "items"))
        known.add((pointer, "propertyNames") if "propertyNames" in error.absolute_schema_path else (pointer, ""))
    assert errors
    return [error for error in errors if error.keyword != "false" and (error.pointer, error.keyword) not in known]


@pytest.mark.parametrize(
    ("schema", "value", "runs", "oracle"),
    [
        ({"multipleOf": 0.01}, 19.99, True, False),
        ({"pattern": r"^\d$"}, "\u0663", False, True),
        ({"pattern": r"^\w$"}, "é", False, True),
        ({"pattern": r"^\s$"}, "\ufeff", True, False),
        ({"format": "hostname"}, "a.", False, True),
        ({"format": "email"}, "a b@c", False, True),
        ({"format": "duration"}, "P1DT0.5H", False, True),
        ({"format": "date-time"}, "1998-12-31T23:59:60Z", True, False),
    ],
)
def test_the_documented_disagreements(schema, value, runs, oracle):
    """If one of these fails an engine has changed: the reference page wants an update."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert compiled(schema).validator.check(value) is runs
    assert jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(value) is oracle
