"""
Why a default or an example does not fit, in the words of `jsonschema`, whose best match is the best there is.

Asked only when something was refused, so that a clean project never imports the library; and only of schemas without
regular expressions, which it would run without a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gsws.types import JSONValue

__all__ = ["reason"]

_LONGEST: Final = 120
_UNBOUNDED: Final = frozenset({"pattern", "patternProperties", "uniqueItems", "$ref", "$dynamicRef", "$recursiveRef"})


def reason(schema: JSONValue, value: JSONValue, uri: str) -> str | None:
    """
    Say why a value does not fit.

    Args:
        schema: Small enough for a person to have written it.
        value: What was refused.
        uri: ``$schema`` of the draft.

    Returns:
        One sentence, or None if it cannot be told cheaply.
    """
    if any(key in _UNBOUNDED for key in _keys(schema)):
        return None
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry

    validator = validator_for({"$schema": uri})
    checker = validator.FORMAT_CHECKER
    error = best_match(validator(schema, registry=Registry(), format_checker=checker).iter_errors(value))
    if error is None:
        return None
    return error.message if len(error.message) <= _LONGEST else f"{error.message[: _LONGEST - 1]}…"


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema
        for inner in schema.values():
            yield from _keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _keys(inner)
