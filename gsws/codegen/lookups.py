"""What a look-up or a null may stand for, in schemas for editors: they see a file before look-ups are carried out."""

from __future__ import annotations

from typing import Any, Final

from gsws.types import JSONObject

__all__ = ["LOOKUP", "optional", "written"]

LOOKUP: Final[JSONObject] = {"type": "string", "pattern": r"\$\{|<%"}
"""A text with ``${NAME}`` or ``<% config.name %>`` in it; referred to as ``#/definitions/lookup``."""

_REFERENCE: Final = {"$ref": "#/definitions/lookup"}


def written(shape: JSONObject) -> JSONObject:
    """
    A shape as it may be written in a file: itself, or a look-up in its place.

    One list of types rather than two branches where that is possible: editors then say what is wrong in one sentence.
    """
    types = shape.get("type")
    if types is None or shape.keys() & {"enum", "const", "$ref", "anyOf", "allOf", "oneOf"}:
        return {"anyOf": [shape, _REFERENCE]}
    names = [types] if isinstance(types, str) else list(types)
    if "string" not in names:
        wanted = " or ".join(names)
        message = f"expected {wanted}, or a look-up such as ${{NAME}}"
        return {**shape, "type": [*names, "string"], "pattern": LOOKUP["pattern"], "patternErrorMessage": message}
    if "pattern" in shape:
        return {**shape, "pattern": f"{shape['pattern']}|{LOOKUP['pattern']}"}
    return {"anyOf": [shape, _REFERENCE]} if shape.keys() & {"maxLength", "format"} else shape


def optional(shape: JSONObject) -> JSONObject:
    """The same for a key that may be left out: null counts as absent."""
    inner: dict[str, Any] = written(shape)
    if "anyOf" in inner:
        return {"anyOf": [*inner["anyOf"], {"type": "null"}]}
    types = inner["type"]
    return {**inner, "type": list(dict.fromkeys([*([types] if isinstance(types, str) else types), "null"]))}
