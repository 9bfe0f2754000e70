"""
jsonschema-rs with the settings that make it safe: offline, formats asserted, regular expressions in linear time.

The only module that builds its validators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final, Literal

import jsonschema_rs

from gsws.schema.drafts import DEFAULT, FORMATS, Draft
from gsws.types import JSONValue

__all__ = ["BACKTRACK_LIMIT", "EngineError", "build", "meta_valid", "pattern_kind", "registry_of", "unsatisfiable"]

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
        schema,
        validate_formats=True,
        offline=True,
        pattern_options=_BOUNDED if fancy else _LINEAR,
        **options,
    )


def registry_of(resources: Mapping[str, JSONValue]) -> jsonschema_rs.Registry | None:
    """The registry of resources by address; None for none. Texts without ``$schema`` are draft 2020-12."""
    return jsonschema_rs.Registry(list(resources.items())) if resources else None


@lru_cache(maxsize=4096)
def pattern_kind(pattern: str) -> Literal["linear", "fancy", "bad"]:
    """Which engine takes a regular expression: the linear one, only the one that goes back and forth, or none."""
    for kind, options in (("linear", _LINEAR), ("fancy", _BOUNDED)):
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True, pattern_options=options)
        except EngineError:
            continue
        return "linear" if kind == "linear" else "fancy"
    return "bad"


def meta_valid(schema: JSONValue, draft: Draft) -> bool:
    """Whether a schema obeys the meta-schema of its draft."""
    if isinstance(schema, dict):
        schema = {**schema, "$schema": draft.uri + ("#" if draft.lone_ref else "")}
    elif not isinstance(schema, bool):
        return False
    return jsonschema_rs.meta.is_valid(schema)


def unsatisfiable(schema: JSONValue, draft: Draft, registry: jsonschema_rs.Registry | None = None) -> bool:
    """Whether it is proven that no value fits; False when that is not known."""
    options: dict[str, Any] = {} if registry is None else {"registry": registry}
    try:
        canonical = jsonschema_rs.canonicalize(
            schema, draft=draft.number, offline=True, pattern_options=_BOUNDED, **options
        )
        return canonical.satisfiability() is jsonschema_rs.canonical.Satisfiability.NO
    except EngineError:
        return False


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
