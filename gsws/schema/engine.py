"""
jsonschema-rs with the settings that make it safe: offline, formats asserted, regular expressions in linear time.

The only module that builds its validators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final, Literal

import jsonschema_rs

from gsws.schema.drafts import DATA, DEFAULT, FORMATS, MAP, Draft
from gsws.schema.ecma import Refused, translate
from gsws.types import JSONValue

__all__ = ["BACKTRACK_LIMIT", "EngineError", "build", "meta_valid", "pattern_kind", "registry_of"]

BACKTRACK_LIMIT: Final = 50_000
"""Steps back that a pattern with look-around or back-references may take on one value; then the value is refused."""

EngineError: Final = (ValueError, jsonschema_rs.ReferencingError, UnicodeEncodeError)
"""What building a validator may raise; `ValueError` covers the engine's own `ValidationError`."""

_CLASSES: Final[dict[int, type[jsonschema_rs.Validator]]] = {
    jsonschema_rs.Draft4: jsonschema_rs.Draft4Validator,
    jsonschema_rs.Draft6: jsonschema_rs.Draft6Validator,
    jsonschema_rs.Draft7: jsonschema_rs.Draft7Validator,
    jsonschema_rs.Draft201909: jsonschema_rs.Draft201909Validator,
    jsonschema_rs.Draft202012: jsonschema_rs.Draft202012Validator,
}
_LINEAR: Final = jsonschema_rs.RegexOptions()
_BOUNDED: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)


def build(
    schema: JSONValue, draft: Draft, registry: jsonschema_rs.Registry | None = None, *, fancy: bool = False
) -> jsonschema_rs.Validator:
    """
    Compile a schema.

    Args:
        schema: Self-contained but for references into ``registry``.
        draft: What it is read as.
        registry: The other resources.
        fancy: Whether it, or a resource it reaches, has a pattern that the linear engine cannot take.

    Raises:
        EngineError: If it does not compile.
    """
    options: dict[str, Any] = {} if registry is None else {"registry": registry}
    formats = _formats(draft.number)
    if formats:
        options["formats"] = formats
    return _CLASSES[draft.number](
        _spoken(schema, fancy=fancy),
        validate_formats=True,
        offline=True,
        pattern_options=_BOUNDED if fancy else _LINEAR,
        **options,
    )


def registry_of(resources: Mapping[str, JSONValue], *, fancy: bool) -> jsonschema_rs.Registry | None:
    """
    The registry of resources by address; None for none. Texts without ``$schema`` are draft 2020-12.

    Args:
        resources: The texts.
        fancy: As for the schema that is built with it.
    """
    spoken = [(address, _spoken(text, fancy=fancy)) for address, text in resources.items()]
    return jsonschema_rs.Registry(spoken) if spoken else None


@lru_cache(maxsize=4096)
def pattern_kind(pattern: str) -> Literal["linear", "fancy"] | Refused:
    """Which engine takes a regular expression: the linear one, only the one that goes back and forth, or why none."""
    spoken = translate(pattern)
    if isinstance(spoken, Refused):
        return spoken
    text, options = (spoken.bounded, _BOUNDED) if spoken.linear is None else (spoken.linear, _LINEAR)
    try:
        jsonschema_rs.Draft202012Validator({"pattern": text}, offline=True, pattern_options=options)
    except EngineError:
        return Refused("cannot be run here", "repetitions are limited in size, and properties to those of Unicode 16")
    return "fancy" if spoken.linear is None else "linear"


def _spoken(schema: JSONValue, *, fancy: bool) -> JSONValue:
    """A schema with its patterns in the words of the engine; the same object where nothing changes."""
    if isinstance(schema, list):
        items = [_spoken(inner, fancy=fancy) for inner in schema]
        return schema if all(one is other for one, other in zip(items, schema, strict=True)) else items
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword == "pattern" and isinstance(value, str):
            out[keyword] = _word(value, fancy=fancy)
        elif keyword == "patternProperties" and isinstance(value, dict):
            out[keyword] = {_word(name, fancy=fancy): _spoken(inner, fancy=fancy) for name, inner in value.items()}
        elif keyword in MAP and isinstance(value, dict):
            named = {name: _spoken(inner, fancy=fancy) for name, inner in value.items()}
            out[keyword] = value if all(named[name] is inner for name, inner in value.items()) else named
        else:
            out[keyword] = value if keyword in DATA else _spoken(value, fancy=fancy)
    same = all(out.get(keyword) is value or out.get(keyword) == value for keyword, value in schema.items())
    return schema if same else out


def _word(pattern: str, *, fancy: bool) -> str:
    spoken = translate(pattern)
    if isinstance(spoken, Refused):
        return pattern  # the finding has been made, and the engine does not take it either
    return spoken.bounded if fancy or spoken.linear is None else spoken.linear


def meta_valid(schema: JSONValue, draft: Draft) -> bool:
    """Whether a schema obeys the meta-schema of its draft."""
    if isinstance(schema, dict):
        schema = {**schema, "$schema": draft.uri + ("#" if draft.lone_ref else "")}
    elif not isinstance(schema, bool):
        return False
    return jsonschema_rs.meta.is_valid(_spoken(schema, fancy=True))


@cache
def _formats(number: int) -> dict[str, Callable[[Any], bool]]:
    """Checks for the formats that a draft is too old to know: those of draft 2020-12."""
    if number == DEFAULT.number:
        return {}
    checks: dict[str, Callable[[Any], bool]] = {}
    for name in FORMATS:
        try:
            _CLASSES[number]({"format": name}, validate_formats=True, ignore_unknown_formats=False, offline=True)
        except ValueError:
            checks[name] = build({"format": name}, DEFAULT).is_valid
    return checks
