"""
Why a value does not fit its schema: places, keywords and sentences, within a bounded amount of work.

The engine's own list of errors is not used: it collects every error of every branch, which takes minutes when a
schema refers to itself through ``anyOf`` and a hostile value nests a few dozen levels. Here the schema is walked
along the value, and each step asks the engine's yes-or-no, which is fast in every case. After 2,000 questions, a
twentieth of a second of processor time, or as many errors as asked for, what has been found is the answer.

Parts of a schema with ``$dynamicRef`` mean nothing alone. There the engine is asked for its first error, and only
about small values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from gsws.schema.drafts import Draft
from gsws.schema.engine import EngineError, build
from gsws.schema.explanation import Run
from gsws.schema.references import pointer_text, value_at
from gsws.types import JSONValue

__all__ = ["Explainer", "SchemaError"]

MAX_SECONDS: Final = 0.05
"""Processor time of one explanation; one question more may be under way when it is over."""

_SMALL: Final = 200
_SHALLOW: Final = 5
_SHORT: Final = 120

_WITH: Final[dict[str, tuple[str, ...]]] = {
    "additionalProperties": ("properties", "patternProperties"),
    "items": ("prefixItems",),
    "additionalItems": ("items",),
    "contains": ("minContains", "maxContains"),
    "if": ("then", "else"),
    "minimum": ("exclusiveMinimum",),
    "maximum": ("exclusiveMaximum",),
}
"""Keywords that mean something together only."""

_DESCRIBING: Final = frozenset(("properties", "patternProperties", "prefixItems", "items"))
"""Of these only the names or the positions matter to the keyword that they belong to."""


@dataclass(frozen=True, slots=True)
class SchemaError:
    """
    One reason why a value does not fit.

    Attributes:
        pointer: The place in the value (RFC 6901).
        keyword: The keyword that refuses it; ``false`` for a schema that allows nothing.
        message: One sentence; at most 60 characters of a value are quoted.
    """

    pointer: str
    keyword: str
    message: str


class Explainer:
    """
    Explains for one schema; keeps the parts it has compiled.

    Args:
        schema: Rewritten with absolute references.
        contents: What references lead to, by address.
        draft: What the schema is read as.
        registry: The contents, as the engine takes them.
        fancy: Whether some pattern needs the engine that goes back and forth.
        whole: The compiled schema if it has a ``$dynamicRef``, else None.
    """

    __slots__ = ("_checks", "_contents", "_draft", "_fancy", "_registry", "_schema", "_whole")

    def __init__(
        self,
        schema: JSONValue,
        contents: Mapping[str, JSONValue],
        draft: Draft,
        registry: jsonschema_rs.Registry | None,
        *,
        fancy: bool,
        whole: jsonschema_rs.Validator | None = None,
    ) -> None:
        self._schema = schema
        self._whole = whole
        self._contents = contents
        self._draft = draft
        self._registry = registry
        self._fancy = fancy
        self._checks: dict[tuple[int, str], Callable[[Any], bool]] = {}

    def explain(self, instance: JSONValue, limit: int, prefix: str) -> list[SchemaError]:
        """What is wrong with a value that does not fit; at least one error."""
        if self._whole is not None:
            return [_first_error(self._whole, instance, prefix)]
        run = Run(self, limit, time.thread_time() + MAX_SECONDS)
        run.visit(self._schema, instance, (), 0)
        found = run.errors or [((), "schema", "does not fit the schema")]
        return [SchemaError(prefix + pointer_text(place), keyword, text) for place, keyword, text in found]

    def check(self, schema: dict[str, Any], keyword: str) -> Callable[[Any], bool]:
        """The engine's answer for one keyword of a schema, or for the whole with an empty keyword."""
        key = (id(schema), keyword)
        known = self._checks.get(key)
        if known is None:
            part = dict(schema)
            if keyword:
                part = {keyword: schema[keyword]}
                for name in _WITH.get(keyword, ()):
                    if name in schema:
                        part[name] = _open(schema[name]) if name in _DESCRIBING else schema[name]
            try:
                known = build(part, self._draft, self._registry, fancy=self._fancy).is_valid
            except EngineError:
                known = _fits
            self._checks[key] = known
        return known

    def target(self, reference: str) -> JSONValue:
        """The schema that an absolute reference leads to; None if it is the engine's own."""
        address, _, fragment = reference.partition("#")
        return value_at(fragment, self._contents.get(address))

    @property
    def draft(self) -> Draft:
        return self._draft


def _first_error(whole: jsonschema_rs.Validator, instance: JSONValue, prefix: str) -> SchemaError:
    if _is_small(instance):
        try:
            whole.validate(instance)
        except jsonschema_rs.ValidationError as error:
            keyword = error.kind.name
            keyword = "false" if keyword == "falseSchema" else keyword
            return SchemaError(prefix + pointer_text(error.instance_path), keyword, _cut(error.message))
    return SchemaError(prefix, "schema", "does not fit the schema")


def _is_small(value: JSONValue) -> bool:
    """Whether a value has at most 200 parts and 5 levels: what any schema explains quickly."""
    parts = 0
    pending: list[tuple[JSONValue, int]] = [(value, 0)]
    while pending:
        current, depth = pending.pop()
        if isinstance(current, (dict, list)):
            parts += len(current)
            if parts > _SMALL or depth >= _SHALLOW:
                return False
            inner = current.values() if isinstance(current, dict) else current
            pending += [(item, depth + 1) for item in inner]
    return True


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _open(described: JSONValue) -> JSONValue:
    """The same names or positions, any values."""
    if isinstance(described, dict):
        return {name: {} for name in described}
    return [{} for _ in described] if isinstance(described, list) else described


def _fits(_value: Any) -> bool:
    return True
