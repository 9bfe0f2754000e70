"""
One walk along a refused value and its schema: collects places, keywords and sentences until its budget is spent.

Every step asks for a yes or no; who answers, and what the budget protects from, is told in `gsws.schema.explain`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import Draft
from gsws.schema.engine import EngineError
from gsws.schema.messages import kind_of, list_of, quote, sentence
from gsws.schema.references import pointer_text
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["MAX_QUESTIONS", "Oracle", "Run"]

MAX_QUESTIONS: Final = 2_000
_SHARE: Final = 100
"""Questions that one branch of an ``anyOf`` may cost."""

_MAX_DEPTH: Final = 160
_MAX_BRANCHES: Final = 12
_MAX_LISTED: Final = 3
_MAX_PARTS: Final = 200

_SILENT: Final = frozenset(
    (
        "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$defs", "definitions",
        "$comment", "$vocabulary", "title", "description", "default", "examples", "example",
        "deprecated", "readOnly", "writeOnly", "then", "else", "minContains", "maxContains",
        "contentSchema",
    )
)  # fmt: skip
_LAST: Final = ("unevaluatedProperties", "unevaluatedItems")


class Oracle(Protocol):
    """Answers about a schema."""

    @property
    def draft(self) -> Draft:
        """What the schema is read as."""

    def check(self, schema: dict[str, Any], keyword: str) -> Callable[[Any], bool]:
        """The answer for one keyword of a schema, or for the whole with an empty keyword."""

    def target(self, reference: str) -> JSONValue:
        """The schema that a reference leads to."""


class Run:
    """One explanation; what it finds is in ``errors`` as ``(place, keyword, sentence)``."""

    __slots__ = ("_deadline", "_found", "_limit", "_nested", "_oracle", "_questions", "errors")

    def __init__(
        self,
        oracle: Oracle,
        limit: int,
        deadline: float,
        questions: int = MAX_QUESTIONS,
        *,
        nested: bool = False,
    ) -> None:
        self.errors: list[tuple[Pointer, str, str]] = []
        self._oracle = oracle
        self._limit = max(limit, 1)
        self._deadline = deadline
        self._questions = questions
        self._nested = nested
        self._found = 0

    def visit(self, schema: JSONValue, value: JSONValue, place: Pointer, depth: int) -> None:
        """Collect what is wrong with a value that does not fit ``schema``."""
        if schema is False:
            self._add(place, "false", sentence("false", {}, value))
            return
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            return
        before = self._found
        for keyword in self._keywords(schema):
            if self._done():
                return
            if keyword in _LAST:
                if self._found == before and not self._asks(schema, "", value):
                    self._unevaluated(keyword, schema, value, place)
            elif not self._asks(schema, keyword, value):
                self._fail(keyword, schema, value, place, depth)

    def _keywords(self, schema: dict[str, Any]) -> Iterator[str]:
        if self._oracle.draft.lone_ref and "$ref" in schema:
            yield "$ref"
            return
        if "type" in schema:
            yield "type"
        for keyword in schema:
            if keyword not in _SILENT and keyword not in _LAST and keyword != "type":
                yield keyword
        for keyword in _LAST:
            if keyword in schema:
                yield keyword

    def _fail(self, keyword: str, schema: dict[str, Any], value: Any, place: Pointer, depth: int) -> None:
        limit = schema[keyword]
        before = self._found
        match keyword:
            case "properties":
                for name, inner in limit.items():
                    if name in value:
                        self._into(inner, value[name], (*place, name), depth)
            case "required":
                for name in limit:
                    if name not in value:
                        self._add(place, keyword, _missing(name, value, schema))
            case "additionalProperties":
                self._additional(schema, value, place, depth)
            case "patternProperties":
                self._each_pattern(schema, value, place, depth)
            case "items" | "prefixItems" | "additionalItems":
                self._items(keyword, schema, value, place, depth)
            case "$ref" | "$dynamicRef" | "$recursiveRef":
                target = self._oracle.target(limit) if isinstance(limit, str) else None
                self.visit(target, value, place, depth + 1)
            case "allOf":
                for branch in limit:
                    self._into(branch, value, place, depth)
            case "anyOf" | "oneOf":
                self._add(place, keyword, self._alternatives(keyword, limit, value, place, depth))
            case "if":
                taken = "then" if self._fits(limit, value) else "else"
                self.visit(schema.get(taken), value, place, depth + 1)
            case "dependentSchemas" | "dependencies" | "dependentRequired":
                self._dependent(keyword, limit, value, place, depth)
            case "propertyNames":
                self._names(limit, value, place)
        if self._found == before and not self._done():
            self._add(place, keyword, sentence(keyword, schema, value))

    def _into(self, schema: JSONValue, value: Any, place: Pointer, depth: int) -> None:
        if not self._done() and not self._fits(schema, value):
            self.visit(schema, value, place, depth + 1)

    def _additional(self, schema: dict[str, Any], value: Any, place: Pointer, depth: int) -> None:
        limit = schema["additionalProperties"]
        described = schema.get("properties") or {}
        unexpected = []
        for name in value:
            if self._done():
                return
            if name not in described and not self._asks(schema, "additionalProperties", {name: value[name]}):
                if isinstance(limit, dict):
                    self.visit(limit, value[name], (*place, name), depth + 1)
                else:
                    unexpected.append(name)
                    if len(unexpected) > _MAX_LISTED:
                        break
        if unexpected:
            left = [name for name in described if name not in value]
            self._add(place, "additionalProperties", _unexpected(unexpected, left))

    def _each_pattern(self, schema: dict[str, Any], value: Any, place: Pointer, depth: int) -> None:
        patterns = schema["patternProperties"]
        for name in value:
            if self._done():
                return
            if not self._asks(schema, "patternProperties", {name: value[name]}):
                for inner in patterns.values():
                    self._into(inner, value[name], (*place, name), depth)

    def _items(self, keyword: str, schema: dict[str, Any], value: Any, place: Pointer, depth: int) -> None:
        limit = schema[keyword]
        if isinstance(limit, list):
            for number, (inner, item) in enumerate(zip(limit, value, strict=False)):
                self._into(inner, item, (*place, number), depth)
            return
        beside = schema.get("items" if keyword == "additionalItems" else "prefixItems")
        first = len(beside) if isinstance(beside, list) else 0
        if limit is False:
            self._add(place, keyword, f"must have at most {first} items, has {len(value)}")
            return
        for number in range(first, len(value)):
            if self._done():
                return
            self._into(limit, value[number], (*place, number), depth)

    def _dependent(self, keyword: str, limit: dict[str, Any], value: Any, place: Pointer, depth: int) -> None:
        for name, needed in limit.items():
            if name not in value:
                continue
            if isinstance(needed, list):
                for other in needed:
                    if other not in value:
                        self._add(place, keyword, f"{quote(other)} is required where {quote(name)} is given")
            else:
                self._into(needed, value, place, depth)

    def _names(self, limit: JSONValue, value: Any, place: Pointer) -> None:
        for name in value:
            if self._done():
                return
            if not self._fits(limit, name):
                inner = self._inner(1)
                inner.visit(limit, name, (), 1)
                why = f": {inner.errors[0][2]}" if inner.errors else ""
                self._add(place, "propertyNames", f"the key {quote(name)} is not allowed{why}")

    def _alternatives(self, keyword: str, branches: list[Any], value: Any, place: Pointer, depth: int) -> str:
        fitting = [number for number, branch in enumerate(branches[:_MAX_BRANCHES]) if self._fits(branch, value)]
        if keyword == "oneOf" and len(fitting) > 1:
            return f"fits {len(fitting)} of {len(branches)} alternatives, exactly one is allowed"
        simple = [branch.get("type") for branch in branches if isinstance(branch, dict)]
        if len(simple) == len(branches) and all(isinstance(name, str) for name in simple):
            kinds = list(dict.fromkeys(str(name) for name in simple))
            kind = kind_of(value)
            if kind not in kinds and not (kind == "integer" and "number" in kinds):
                return f"expected {' or '.join(kinds[:7])}, got {kind}"
        tags = _tags(branches, value)
        if tags is not None:
            return tags
        nearest_reason = self._nearest(branches, value, place, depth)
        return f"fits none of {len(branches)} alternatives{nearest_reason}"

    def _nearest(self, branches: list[Any], value: Any, place: Pointer, depth: int) -> str:
        """What is wrong with the branch that was probably meant: the one whose errors lie deepest."""
        if self._nested:
            return ""
        best: tuple[tuple[int, int], tuple[Pointer, str, str]] | None = None
        for branch in branches[:_MAX_BRANCHES]:
            if self._done():
                break
            inner = self._inner(3)
            inner.visit(branch, value, place, depth + 1)
            self._questions -= _SHARE
            if not inner.errors:
                continue
            depths = [len(error[0]) for error in inner.errors]
            wrong_kind = any(
                (error[0] == place and error[1] == "type")
                or (len(error[0]) <= len(place) + 1 and error[1] in ("const", "enum"))
                for error in inner.errors
            )
            rank = (-1 if wrong_kind else min(depths), -len(inner.errors))
            if best is None or rank > best[0]:
                best = rank, inner.errors[0]
        if best is None:
            return ""
        where, _, text = best[1]
        inside = pointer_text(where[len(place) :])
        return f"; the nearest: {f'`{inside}` ' if inside else ''}{text[:160]}"

    def _unevaluated(self, keyword: str, schema: dict[str, Any], value: Any, place: Pointer) -> None:
        if keyword == "unevaluatedProperties" and schema[keyword] is False and isinstance(value, dict):
            described, patterned = self._described(schema)
            unexpected = [] if patterned else [name for name in value if name not in described]
            if unexpected:
                self._add(place, keyword, _unexpected(unexpected, [name for name in described if name not in value]))
                return
        what = "keys" if keyword == "unevaluatedProperties" else "items"
        self._add(place, keyword, f"has {what} that no part of the schema describes")

    def _described(self, schema: dict[str, Any]) -> tuple[dict[str, None], bool]:
        """The keys that parts of a schema describe, whether they apply or not; and whether patterns do so too."""
        names: dict[str, None] = {}
        patterned = False
        pending: list[Any] = [schema]
        seen: set[int] = set()
        while pending and len(seen) < _MAX_PARTS:
            current = pending.pop()
            if not isinstance(current, dict) or id(current) in seen:
                continue
            seen.add(id(current))
            names |= dict.fromkeys(current.get("properties") or ())
            patterned |= "patternProperties" in current or "$dynamicRef" in current
            reference = current.get("$ref")
            pending.append(self._oracle.target(reference) if isinstance(reference, str) else None)
            for branches in ("allOf", "anyOf", "oneOf"):
                pending += current.get(branches) or ()
            pending += (current.get(part) for part in ("if", "then", "else"))
            pending += (current.get("dependentSchemas") or {}).values()
        return names, patterned or bool(pending)

    def _inner(self, limit: int) -> Run:
        return Run(self._oracle, limit, self._deadline, min(self._questions, _SHARE), nested=True)

    def _fits(self, schema: JSONValue, value: Any) -> bool:
        if not isinstance(schema, dict):
            return schema is not False
        return self._asks(schema, "", value)

    def _asks(self, schema: dict[str, Any], keyword: str, value: Any) -> bool:
        self._questions -= 1
        try:
            return self._oracle.check(schema, keyword)(value)
        except EngineError:
            return True

    def _add(self, place: Pointer, keyword: str, text: str) -> None:
        self._found += 1  # counts what is known already, too
        error = (place, keyword, text)
        if len(self.errors) < self._limit and error not in self.errors:
            self.errors.append(error)

    def _done(self) -> bool:
        return len(self.errors) >= self._limit or self._questions <= 0 or time.thread_time() > self._deadline


def _unexpected(names: list[str], known: list[str]) -> str:
    shown = ", ".join(quote(name) for name in names[:_MAX_LISTED])
    more = " and more" if len(names) > _MAX_LISTED else ""
    near = nearest(names[0], known)
    hint = f"; did you mean {quote(near[0])}?" if near else ""
    return f"unexpected {'key' if len(names) == 1 else 'keys'} {shown}{more}{hint}"


def _missing(name: str, value: Any, schema: dict[str, Any]) -> str:
    described = schema.get("properties") or {}
    near = nearest(name, [key for key in list(value)[:50] if key not in described])
    hint = f"; {quote(near[0])} is there" if near else ""
    return f"{quote(name)} is required{hint}"


def _tags(branches: list[Any], value: Any) -> str | None:
    """The sentence for alternatives told apart by a constant property, none of which is the value's."""
    if not isinstance(value, dict):
        return None
    names: list[str] | None = None
    for branch in branches:
        properties = branch.get("properties") if isinstance(branch, dict) else None
        own = [
            name
            for name, inner in (properties or {}).items()
            if isinstance(inner, dict) and isinstance(inner.get("const"), str)
        ]
        names = own if names is None else [name for name in names if name in own]
    if not names:
        return None
    name = names[0]
    known = [branch["properties"][name]["const"] for branch in branches]
    if value.get(name) in known:
        return None
    if name not in value:
        return f"{quote(name)} is required, one of {list_of(known)}"
    return f"{quote(name)} must be one of {list_of(known)}, not {quote(value[name])}"
