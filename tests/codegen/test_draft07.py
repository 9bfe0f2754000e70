"""Schemas of plugins in the words of draft 7: never stricter, never with a reference that leaves them."""

from __future__ import annotations

import pytest
from jsonschema import Draft7Validator

from gsws.codegen.draft07 import to_draft07


def converted(schema):
    return to_draft07(schema, "#/definitions/type-x")


def test_references_are_moved_with_the_schema():
    made = converted({"properties": {"a": {"$ref": "#/$defs/A", "title": "t"}}, "$defs": {"A": {"type": "string"}}})
    assert made == {
        "properties": {"a": {"allOf": [{"$ref": "#/definitions/type-x/definitions/A"}], "title": "t"}},
        "definitions": {"A": {"type": "string"}},
    }


@pytest.mark.parametrize("reference", ["https://x.example/s.json", "other.json", "#anchor", 3])
def test_references_elsewhere_are_dropped(reference):
    assert converted({"properties": {"a": {"$ref": reference}}}) == {"properties": {"a": {}}}


def test_newer_keywords_are_told_in_older_ones():
    assert converted(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "prefixItems": [{"type": "string"}],
            "items": False,
            "dependentRequired": {"a": ["b"]},
            "dependentSchemas": {"c": {"required": ["d"]}},
            "unevaluatedProperties": False,
        }
    ) == {
        "items": [{"type": "string"}],
        "additionalItems": False,
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    }


def test_what_is_no_json_is_anything():
    endless: dict = {}
    endless["properties"] = endless
    assert converted(endless) is True


def test_a_result_is_a_schema():
    deep: dict = {"type": "string"}
    for _ in range(100):
        deep = {"properties": {"a": deep}}
    Draft7Validator.check_schema(converted(deep))
