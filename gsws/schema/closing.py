"""
``strict: true`` of a source: its schemas refuse keys that they do not describe.

An object is closed once, where a value meets its schema, over everything that describes it there: ``$ref``, ``allOf``,
alternatives, conditions. A definition alone is never closed, since others extend it. Conditions (``if``, ``not``,
``contains``) are left as they are: closed, they would hold for other values.

Works on rewritten schemas; whatever is added here is never judged as if somebody had written it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gsws.schema.bundle import Rewritten
from gsws.schema.drafts import DATA, DEFAULT, LIST, MAP, Draft, draft_of
from gsws.schema.references import Target, at, fragment_of, pointer_text, uri_of
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["Closed", "close"]

_OPEN: Final = uri_of(Target("", ())).rstrip("#")
_STRICT: Final = "gsws-strict:///"
_PARTS: Final = "gsws-strict-parts:///"

_CONDITIONS: Final = frozenset(("if", "not", "contains", "propertyNames"))
_BELOW: Final = frozenset(
    (
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contentSchema",
        "properties",
        "patternProperties",
    )
)
"""Keywords whose schemas meet another value: a part of the one at hand."""

_HERE_LIST: Final = ("allOf", "anyOf", "oneOf")
_HERE_ONE: Final = ("if", "then", "else")
_HERE_MAP: Final = ("dependentSchemas", "dependencies")
_HERE: Final = frozenset((*_HERE_LIST, *_HERE_ONE, *_HERE_MAP, "$ref", "$dynamicRef", "$recursiveRef"))
_SAYS: Final = ("additionalProperties", "unevaluatedProperties")


@dataclass(frozen=True, slots=True)
class Closed:
    """
    A schema that refuses unknown keys.

    Attributes:
        data: The schema.
        contents: What its references lead to, by address; conditions still lead to what is open.
    """

    data: JSONValue
    contents: dict[str, JSONValue]


def close(texts: Mapping[str, Rewritten], contents: Mapping[str, JSONValue]) -> Closed:
    """
    Close the schema whose path is ``""``.

    Args:
        texts: That schema and the definitions files it reaches, by path, with absolute references.
        contents: The same by address.
    """
    aimed = {target for text in texts.values() for target in text.targets.values()}
    # References must know which of the places they lead to are closed where they stand: a first look tells.
    looked = [_Closer(path, texts, aimed, frozenset()) for path in texts]
    for one in looked:
        one.whole()
    met = frozenset(Target(one.path, pointer) for one in looked for pointer in one.parts)
    made: dict[str, JSONValue] = dict(contents)
    data: JSONValue = None
    for path in texts:
        one = _Closer(path, texts, aimed, met)
        made[_address(_STRICT, path)] = one.whole()
        if not path:
            data = made[_STRICT]
        if one.parts:
            parts = {pointer_text(pointer): part for pointer, part in one.parts.items()}
            schema = {"$schema": one.draft.uri + ("#" if one.draft.lone_ref else "")}
            made[_address(_PARTS, path)] = {**schema, "definitions": parts}
    return Closed(data, made)


@dataclass(slots=True)
class _Described:
    """What the schemas that describe one value together say about its keys."""

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    says_more: bool = False


class _Closer:
    """
    Closes one text.

    Attributes:
        parts: Schemas that stand where a value meets them and that references lead to as well, as those see them.
    """

    def __init__(self, path: str, texts: Mapping[str, Rewritten], aimed: set[Target], met: frozenset[Target]) -> None:
        self.path = path
        self.text = texts[path]
        self.draft: Draft = draft_of(self.text.data) or DEFAULT
        self.parts: dict[Pointer, JSONValue] = {}
        self._texts = texts
        self._aimed = aimed
        self._met = met

    def whole(self) -> JSONValue:
        """The text: of an event a schema that values meet, of a definitions file schemas that are referred to."""
        return self.here(self.text.data, ()) if self.path else self.below(self.text.data, ())

    def below(self, schema: JSONValue, pointer: Pointer) -> JSONValue:
        """A schema where a value meets it: closed, unless it says itself what becomes of further keys."""
        if not isinstance(schema, dict):
            return schema
        out: Any = self.here(schema, pointer)
        if Target(self.path, pointer) in self._aimed:
            self.parts[pointer] = out
            out = dict(out)
        lone = self.draft.lone_ref and "$ref" in schema
        if not lone and any(keyword in schema for keyword in _SAYS):
            return out
        described = self.described(pointer)
        if not described.names and not described.patterns:
            return out
        if _HERE.isdisjoint(schema):
            out["additionalProperties"] = False
        elif not self.draft.lone_ref:
            out["unevaluatedProperties"] = False
        elif not described.says_more:
            closing = {
                "properties": {name: {} for name in sorted(described.names)},
                "patternProperties": {pattern: {} for pattern in sorted(described.patterns)},
                "additionalProperties": False,
            }
            if lone:
                held = {keyword: out[keyword] for keyword in ("$schema", "definitions", "$defs") if keyword in out}
                return {**held, "allOf": [{"$ref": out["$ref"]}, closing]}
            out["allOf"] = [*out.get("allOf", ()), closing]
        return out

    def here(self, schema: JSONValue, pointer: Pointer) -> JSONValue:
        """A schema that describes a value together with others: what lies below it is closed."""
        if not isinstance(schema, dict):
            return schema
        out: dict[str, Any] = {}
        for keyword, value in schema.items():
            inner = self.below if keyword in _BELOW else self.here
            place = (*pointer, keyword)
            if keyword in DATA or keyword in _CONDITIONS:
                out[keyword] = value
            elif keyword == "$ref" and isinstance(value, str):
                out[keyword] = self.reference(value, pointer)
            elif keyword == "oneOf" and isinstance(value, list):
                # Closed, fewer branches would fit, and one could be left where the schema wants exactly one.
                out[keyword] = value
                either = [self.here(one, (*place, number)) for number, one in enumerate(value)]
                out["allOf"] = [*out.get("allOf", ()), {"anyOf": either}]
            elif keyword == "allOf" and isinstance(value, list):
                parts = [self.here(one, (*place, number)) for number, one in enumerate(value)]
                out[keyword] = [*parts, *out.get("allOf", ())]
            elif isinstance(value, list) and keyword in LIST:
                out[keyword] = [inner(one, (*place, number)) for number, one in enumerate(value)]
            elif isinstance(value, dict) and keyword in MAP:
                out[keyword] = {name: inner(one, (*place, name)) for name, one in value.items()}
            else:
                out[keyword] = inner(value, place)
        return out

    def reference(self, reference: str, pointer: Pointer) -> str:
        """The same reference into what is closed."""
        target = self.text.targets.get(pointer)
        if target is None:
            return reference
        if target in self._met:
            return _address(_PARTS, target.resource) + fragment_of(("definitions", pointer_text(target.pointer)))
        return _address(_STRICT, target.resource) + fragment_of(target.pointer)

    def described(self, pointer: Pointer) -> _Described:
        """What is said about the keys of the value that a schema meets."""
        found = _Described()
        seen: set[Target] = set()
        pending = [Target(self.path, pointer)]
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            text = self._texts[node.resource]
            schema: Any = at(text.data, node.pointer)
            target = text.targets.get(node.pointer)
            if target is not None:
                pending.append(target)
            lone = (draft_of(text.data) or DEFAULT).lone_ref
            if not isinstance(schema, dict) or (target is not None and lone):
                continue
            for keyword, names in (("properties", found.names), ("patternProperties", found.patterns)):
                value = schema.get(keyword)
                names.update(value if isinstance(value, dict) else ())
            found.says_more |= any(schema.get(keyword, False) is not False for keyword in _SAYS)
            pending += (Target(node.resource, (*node.pointer, *step)) for step in _together(schema))
        return found


def _together(schema: dict[str, Any]) -> Iterator[Pointer]:
    """The schemas in one that describe the same value."""
    for keyword in _HERE_LIST:
        branches = schema.get(keyword)
        yield from ((keyword, number) for number in range(len(branches) if isinstance(branches, list) else 0))
    for keyword in _HERE_ONE:
        if isinstance(schema.get(keyword), dict):
            yield (keyword,)
    for keyword in _HERE_MAP:
        named = schema.get(keyword)
        yield from ((keyword, name) for name in (named if isinstance(named, dict) else ()))


def _address(base: str, path: str) -> str:
    return base + uri_of(Target(path, ())).rstrip("#")[len(_OPEN) :]
