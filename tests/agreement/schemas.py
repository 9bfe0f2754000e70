"""Schemas and values around them, seeded: what the agreement test declares and sends."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["DEFINITIONS", "schema", "value"]

DEFINITIONS: dict[str, Any] = {
    "Item": {
        "type": "object",
        "required": ["sku"],
        "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
            "count": {"type": "integer", "minimum": 1},
        },
        "additionalProperties": False,
    },
    "Tree": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/definitions/shared/Tree"}},
        },
        "additionalProperties": False,
    },
    "Word": {"type": "string", "minLength": 1, "maxLength": 4},
}
"""Keys of `definitions/shared.yaml`."""

_NAMES = ("a", "b", "sku", "name", "größe")


def schema(choice: random.Random, depth: int = 3) -> dict[str, Any]:
    """A schema that some value fits and some value does not, most of the time."""
    kinds = ["string", "integer", "number", "enum", "format", "ref", "nullable"]
    if depth:
        kinds += ["object", "object", "array", "tuple", "oneOf", "anyOf", "not", "if", "allOf"]
    kind = choice.choice(kinds)
    low = choice.randrange(4)
    match kind:
        case "string":
            return {"type": "string", "minLength": low, "maxLength": low + choice.randrange(5)}
        case "integer":
            return {"type": "integer", "minimum": low, "exclusiveMaximum": low + 2 + choice.randrange(9)}
        case "number":
            return {"type": "number", choice.choice(["minimum", "exclusiveMinimum"]): low + 0.5}
        case "enum":
            return {"enum": choice.sample(["a", "b", 1, 2, True, {"a": 1}, [1]], 3)}
        case "format":
            return {"type": "string", "format": choice.choice(["date", "uuid", "ipv4"])}
        case "ref":
            return {"$ref": f"#/definitions/shared/{choice.choice(list(DEFINITIONS))}"}
        case "nullable":
            return {"type": [choice.choice(["string", "boolean"]), "null"]}
        case "object":
            names = choice.sample(_NAMES, choice.randrange(1, 4))
            made: dict[str, Any] = {"type": "object", "properties": {name: schema(choice, depth - 1) for name in names}}
            if choice.random() < 0.7:
                made["required"] = names[: choice.randrange(1, len(names) + 1)]
            if choice.random() < 0.5:
                made["additionalProperties"] = choice.choice([False, {"type": "integer"}])
            if choice.random() < 0.3:
                made["propertyNames"] = {"maxLength": choice.choice([3, 6])}
            return made
        case "array":
            return {"type": "array", "items": schema(choice, depth - 1), "maxItems": low + 1, "uniqueItems": low > 1}
        case "tuple":
            return {"type": "array", "prefixItems": [schema(choice, 0), schema(choice, 0)], "items": False}
        case "if":
            return {"if": schema(choice, 0), "then": schema(choice, 0), "else": schema(choice, 0)}
        case "not":
            return {"not": schema(choice, 0)}
        case "allOf":
            return {"allOf": [{"type": "object"}, {"properties": {"a": schema(choice, 0)}}, {"minProperties": low}]}
    return {kind: [schema(choice, depth - 1), schema(choice, 0)]}


def value(choice: random.Random, described: Any, depth: int = 5) -> Any:
    """A value that fits a schema more often than not, with a mistake now and then."""
    if not isinstance(described, dict) or choice.random() < 0.08 or depth < 0:
        return choice.choice([None, True, 0, 1, -1, 1.5, 1.0, 7, "", "a", "abcd", "größe", [], [1, 1], {}, {"a": 1}])
    if "$ref" in described:
        return value(choice, DEFINITIONS[described["$ref"].rpartition("/")[2]], depth - 1)
    if "enum" in described:
        return choice.choice(described["enum"])
    for keyword in ("oneOf", "anyOf", "allOf"):
        if keyword in described:
            return value(choice, choice.choice(described[keyword]), depth - 1)
    if "if" in described:
        return value(choice, described[choice.choice(["if", "then", "else"])], depth - 1)
    kind = described.get("type")
    if isinstance(kind, list):
        return choice.choice([None, True, "x", 1])
    if kind == "string":
        return _text(choice, described)
    if kind in ("integer", "number"):
        low = described.get("minimum", described.get("exclusiveMinimum", 0))
        return low + choice.choice([-1, 0, 0.5, 1, 1, 2, 3.0, 12])
    if kind == "array":
        items = [value(choice, one, depth - 1) for one in described.get("prefixItems", ())]
        return items + [value(choice, described.get("items"), depth - 1) for _ in range(choice.randrange(3))]
    named = described.get("properties", {})
    made = {name: value(choice, one, depth - 1) for name, one in named.items() if choice.random() < 0.85}
    if choice.random() < 0.15:
        made[choice.choice(["extra", "x", "größer"])] = choice.choice([1, "one"])
    return made


def _text(choice: random.Random, described: dict[str, Any]) -> str:
    if "format" in described:
        return choice.choice(
            ["2024-02-29", "2023-02-29", "1.2.3.4", "1.2.3.456", "", "123e4567-e89b-12d3-a456-426614174000", "123e4567"]
        )
    if "pattern" in described:
        # No line break at the end: the `$` of Python's regular expressions, unlike JSON Schema's, stands before one.
        return choice.choice(["A-1", "B-22", "a-1", "A-", "\nA-1"])
    size = described.get("minLength", 0) + choice.choice([-1, 0, 0, 1, 2, 6])
    return "ö" * max(size, 0)
