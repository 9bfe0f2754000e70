"""
The check of a file's keys and values against a declared shape, with a span for everything that is wrong.

A shape is a JSON Schema of these keywords: ``type``, ``properties``, ``patternProperties``, ``additionalProperties``,
``required``, ``items``, ``minItems``, ``maxItems``, ``enum``, ``const``, ``minimum``, ``maximum``,
``exclusiveMinimum``, ``minLength``, ``maxLength``, ``pattern``, ``anyOf`` (branches told apart by their types), and

- ``x-gsws-kind``: ``duration`` (numbers bound its seconds), ``size``, ``port``, ``function``, ``file``, ``origin``,
  ``schema``;
- ``x-gsws-secret``: true for a value that no finding may quote;
- ``x-gsws-inert``: why a key of the original framework does nothing here.

A schema with other keywords is checked as far as these go; `understood` tells whether that was everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gsws.diagnostics.finding import Finding, error, replace, warning
from gsws.diagnostics.suggest import distance, nearest
from gsws.project.files.lookups import Expanded, Unresolved
from gsws.project.reporting.wording import article, did_you_mean, quoted, type_name
from gsws.project.shapes.advice import advice
from gsws.project.shapes.kinds import (
    KIND_WORDS,
    ORIGIN,
    Shape,
    could_be,
    count,
    dotted,
    either,
    expected,
    is_one_of,
    meant_for,
    types_of,
)
from gsws.project.shapes.units import MAX_DURATION, MAX_SIZE, duration, size
from gsws.text.span import Pointer
from gsws.types import JSONValue
from gsws.yaml.scalars import UNREPRESENTABLE, resolve

__all__ = ["Check", "check"]


_MAX_FINDINGS: Final = 100
_OTHER_WORDS: Final = {"warn": "warning", "err": "error", "fatal": "critical", "trace": "debug", "verbose": "debug"}
"""What other programs call a choice."""


@dataclass(slots=True)
class Check:
    """
    The outcome of one check.

    Attributes:
        functions: Where functions of the project are named.
        files: Where files are named.
        schemas: Where a user's JSON Schemas stand.
    """

    expanded: Expanded
    findings: list[Finding] = field(default_factory=list)
    functions: list[Pointer] = field(default_factory=list)
    files: list[Pointer] = field(default_factory=list)
    schemas: list[Pointer] = field(default_factory=list)


def check(expanded: Expanded, shape: Shape, *, pointer: Pointer = (), what: str = "this file") -> Check:
    """
    Check the value at ``pointer`` of a file.

    A value that came from a look-up as a number where text is expected, or the other way round, is put right in
    ``expanded.data``.

    Args:
        expanded: The file after look-ups.
        shape: What is expected.
        pointer: Where to begin.
        what: What the keys belong to, for people: ``event `websocket.chat` ``.
    """
    outcome = Check(expanded)
    value = expanded.data
    for item in pointer:
        value = value[item]
    _Checker(outcome, what).value(value, shape, pointer, len(pointer))
    return outcome


class _Checker:
    def __init__(self, outcome: Check, what: str) -> None:
        self.outcome = outcome
        self.document = outcome.expanded.document
        self.what = what
        self.depth = 0

    def value(self, value: JSONValue, shape: Shape | bool, pointer: Pointer, top: int) -> JSONValue:
        """Check one value; what it returns belongs in its place."""
        if shape is True or isinstance(value, Unresolved) or len(self.outcome.findings) >= _MAX_FINDINGS:
            return value
        if not isinstance(shape, Mapping):
            return value
        self.depth = top
        branches = shape.get("anyOf")
        if branches is not None:
            return self.either(value, branches, pointer, top, shape)
        types = types_of(shape)
        if types and not is_one_of(value, types):
            retyped = self.retyped(pointer, types)
            if retyped is None:
                self.wrong_type(value, expected(shape), pointer, shape)
                return value
            value = retyped
        if "const" in shape and value != shape["const"]:
            self.out_of_range(value, f"must be {quoted(shape['const'])}", pointer, shape)
        elif "enum" in shape and not any(value == one and type(value) is type(one) for one in shape["enum"]):
            self.no_choice(value, shape["enum"], pointer, shape)
        elif "x-gsws-kind" in shape:
            return self.kind(value, shape, pointer)
        elif isinstance(value, dict):
            self.mapping(value, shape, pointer, top)
        elif isinstance(value, list):
            self.items(value, shape, pointer, top)
        elif isinstance(value, str):
            self.text(value, shape, pointer)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.bounds(value, value, shape, pointer)
            if isinstance(value, float) and "number" not in types and "integer" in types:
                return int(value)
        return value

    def either(self, value: JSONValue, branches: list[Shape], pointer: Pointer, top: int, shape: Shape) -> JSONValue:
        for branch in branches:
            if could_be(value, branch):
                return self.value(value, branch, pointer, top)
        for branch in branches:
            if self.retyped(pointer, types_of(branch)) is not None:
                return self.value(value, branch, pointer, top)
        words = list(dict.fromkeys(expected(branch) for branch in branches))
        same_type = [branch for branch in branches if "const" in branch and type(branch["const"]) is type(value)]
        if same_type:
            self.out_of_range(value, f"must be {either(words)}", pointer, shape)
        else:
            self.wrong_type(value, either(words), pointer)
        return value

    def mapping(self, value: dict[str, Any], shape: Shape, pointer: Pointer, top: int) -> None:
        properties: Mapping[str, Any] = shape.get("properties") or {}
        patterns: Mapping[str, Any] = shape.get("patternProperties") or {}
        additional = shape.get("additionalProperties", True)
        dropped = self.outcome.expanded.dropped.get(pointer, ())

        def is_known(key: str) -> bool:
            return key in properties or key.startswith("x-") or any(re.search(pattern, key) for pattern in patterns)

        looked_up = self.outcome.expanded.dynamic
        emptied = {key for key in dropped if key[:2] != "x-" and is_known(key) and (*pointer, key) in looked_up}
        missing = [key for key in shape.get("required") or () if key not in value and key not in emptied]
        typos: dict[str, str] = {}
        if missing and additional is False:
            # One mistake, one finding: the key is there, misspelt.
            typos = _misspelt(missing, [key for key in (*value, *dropped) if not is_known(key)])
        for key in missing:
            if key not in typos.values():
                self.missing(key, pointer, value)
        for key in list(value):
            place = (*pointer, key)
            inner = properties.get(key)
            if inner is None:
                inner = next((one for pattern, one in patterns.items() if re.search(pattern, key)), None)
            if inner is None:
                if additional is False and not key.startswith("x-"):
                    self.unknown(key, place, properties, value, typos.get(key))
                    continue
                inner = additional
            if isinstance(inner, Mapping) and "x-gsws-inert" in inner:
                self.outcome.findings.append(
                    warning(
                        "GS309",
                        f"`{key}` does nothing here: {inner['x-gsws-inert']}",
                        self.document.key_span(place),
                        "no effect",
                        "remove the key",
                    )
                )
            value[key] = self.value(value[key], inner, place, top)
        # What is null counts as absent, but is not unseen: it may be misspelt, or meant to have a value.
        for key in dropped:
            if key in emptied:
                message = f"{self.name((*pointer, key))} has no value: what was looked up is empty or null"
                help = "give it one, or write `${NAME:-}` where it may be missing"
                self.add("GS506", message, (*pointer, key), "looked up", help)
            elif additional is False and not is_known(key):
                self.unknown(key, (*pointer, key), properties, value, typos.get(key))

    def items(self, value: list[Any], shape: Shape, pointer: Pointer, top: int) -> None:
        if len(value) < shape.get("minItems", 0):
            self.out_of_range(value, f"needs at least {count(shape['minItems'], 'item')}", pointer, shape)
        elif len(value) > shape.get("maxItems", len(value)):
            self.out_of_range(value, f"takes at most {count(shape['maxItems'], 'item')}", pointer, shape)
        inner = shape.get("items", True)
        if inner is not True:
            for index, item in enumerate(value):
                value[index] = self.value(item, inner, (*pointer, index), top)

    def text(self, value: str, shape: Shape, pointer: Pointer) -> None:
        if len(value) < shape.get("minLength", 0):
            expected = "must not be empty" if shape["minLength"] == 1 else f"needs {shape['minLength']} characters"
            self.out_of_range(value, expected, pointer, shape)
        elif len(value) > shape.get("maxLength", len(value)):
            self.out_of_range(value, f"takes at most {shape['maxLength']} characters", pointer, shape)
        elif "pattern" in shape and not re.search(shape["pattern"], value):
            self.out_of_range(value, f"must match `{shape['pattern']}`", pointer, shape)

    def kind(self, value: JSONValue, shape: Shape, pointer: Pointer) -> JSONValue:
        kind = shape["x-gsws-kind"]
        match kind:
            case "duration" | "size":
                number = duration(value) if kind == "duration" else size(value)
                if number is None:
                    if isinstance(value, str) and not value.lstrip().startswith("-"):
                        self.wrong_type(value, KIND_WORDS[kind], pointer)
                    else:
                        huge = not isinstance(value, str) and value > 0
                        self.out_of_range(value, "is too large" if huge else "must not be negative", pointer, shape)
                elif number > (MAX_DURATION if kind == "duration" else MAX_SIZE):
                    self.out_of_range(value, "is too large", pointer, shape)
                else:
                    self.bounds(number, value, shape, pointer)
            case "port":
                if not 0 <= value <= 65535:
                    self.add(
                        "GS602", f"port {self.shown(value, pointer, shape)} is out of range", pointer, "0 to 65535"
                    )
                return int(value)
            case "origin":
                if value != "*" and not ORIGIN.fullmatch(value):
                    self.out_of_range(value, f"must be `*` or {KIND_WORDS[kind]}, without a path", pointer, shape)
            case "function":
                if value:
                    self.outcome.functions.append(pointer)
                else:
                    self.out_of_range(value, "must not be empty", pointer, shape)
            case "file":
                if value and "\x00" not in value:
                    self.outcome.files.append(pointer)
                else:
                    self.out_of_range(value, "must name a file", pointer, shape)
            case "schema":
                self.outcome.schemas.append(pointer)
        return value

    def bounds(self, number: float, value: JSONValue, shape: Shape, pointer: Pointer) -> None:
        if number < shape.get("minimum", number):
            self.out_of_range(value, f"must be at least {shape['minimum']}", pointer, shape)
        elif number > shape.get("maximum", number):
            self.out_of_range(value, f"must be at most {shape['maximum']}", pointer, shape)
        elif "exclusiveMinimum" in shape and number <= shape["exclusiveMinimum"]:
            self.out_of_range(value, f"must be more than {shape['exclusiveMinimum']}", pointer, shape)

    def retyped(self, pointer: Pointer, types: tuple[str, ...]) -> JSONValue:
        """The text of a look-up as one of ``types``, or None; who wants text gets the text, whatever it looks like."""
        text = self.outcome.expanded.texts.get(pointer)
        if text is None or not types:
            return None
        if "string" in types:
            return text
        typed = resolve(text.strip()) if len(text) <= 400 else text
        return typed if typed is not UNREPRESENTABLE and is_one_of(typed, types) else None

    def missing(self, key: str, pointer: Pointer, value: Mapping[str, Any]) -> None:
        near, _ = did_you_mean(key, value)
        owner = self.owner(pointer)
        self.outcome.findings.append(
            error(
                "GS304",
                f"{owner} lacks the required key `{key}`",
                self.document.key_span(pointer),
                f"`{key}` is missing",
                f"`{near}` may have been meant as `{key}`" if near else f"add `{key}: …`",
            )
        )

    def unknown(
        self, key: str, place: Pointer, known: Mapping[str, Any], present: Mapping[str, Any], meant: str | None
    ) -> None:
        usable = [one for one, shape in known.items() if not (isinstance(shape, Mapping) and "x-gsws-inert" in shape)]
        near, help = did_you_mean(key, usable) if meant is None else (meant, f"did you mean `{meant}`?")
        span = self.document.key_span(place)
        # The written key may be quoted; the repair replaces all of it. Never by a key that is there already.
        fix = replace(span, near) if near is not None and near not in present else None
        if help is None and known:
            help = "known keys: " + ", ".join(f"`{one}`" for one in usable[:30])
        self.outcome.findings.append(
            error("GS305", f"unknown key {quoted(key)} in {self.owner(place[:-1])}", span, "not known", help, (), fix)
        )

    def wrong_type(self, value: JSONValue, expected: str, pointer: Pointer, shape: Shape | None = None) -> None:
        name = self.name(pointer)
        if pointer in self.outcome.expanded.dynamic:
            found = article(type_name(value))
            self.add("GS506", f"{name} must be {expected}, but what was looked up is {found}", pointer, "looked up")
            return
        is_scalar = isinstance(value, str | int | float)
        key = meant_for(value, shape or {}) if is_scalar else None
        is_secret = key is not None and (shape or {})["properties"][key].get("x-gsws-secret") is True
        found = quoted(value) if is_scalar and not is_secret else article(type_name(value))
        help = advice(value, expected)
        if key is not None and pointer:
            help = f"for example `{pointer[-1]}: {{{key}: {'…' if is_secret else found.strip('`')}}}`"
        self.add("GS306", f"{name} must be {expected}, found {found}", pointer, f"expected {expected}", help)

    def no_choice(self, value: JSONValue, choices: list[Any], pointer: Pointer, shape: Shape) -> None:
        listed = ", ".join(quoted(choice) for choice in choices)
        near, help = (None, None)
        if isinstance(value, str) and not self.hidden(pointer, shape):
            near, help = did_you_mean(value, [choice for choice in choices if isinstance(choice, str)])
            if near is None and (known := _OTHER_WORDS.get(value.lower())) in choices:
                near, help = known, f"did you mean `{known}`?"
        span = self.document.value_span(pointer)
        found = "" if self.hidden(pointer, shape) else f", found {quoted(value)}"
        self.outcome.findings.append(
            error(
                "GS307",
                f"{self.name(pointer)} must be one of {listed}{found}",
                span,
                "not one of them",
                help,
                (),
                replace(span, near) if near is not None else None,
            )
        )

    def out_of_range(self, value: JSONValue, expected: str, pointer: Pointer, shape: Shape) -> None:
        found = ""
        if isinstance(value, str | int | float) and not self.hidden(pointer, shape) and value != "":
            found = f", found {quoted(value)}"
        self.add("GS307", f"{self.name(pointer)} {expected}{found}", pointer)

    def add(self, code: str, message: str, pointer: Pointer, label: str = "", help: str | None = None) -> None:
        self.outcome.findings.append(error(code, message, self.document.value_span(pointer), label, help))

    def hidden(self, pointer: Pointer, shape: Shape) -> bool:
        return pointer in self.outcome.expanded.dynamic or shape.get("x-gsws-secret") is True

    def shown(self, value: JSONValue, pointer: Pointer, shape: Shape) -> str:
        return "from a look-up" if self.hidden(pointer, shape) else quoted(value)

    def owner(self, pointer: Pointer) -> str:
        inner = dotted(pointer[self.depth :])
        return f"`{inner}` of {self.what}" if inner else self.what

    def name(self, pointer: Pointer) -> str:
        inner = dotted(pointer[self.depth :])
        return f"`{inner}`" if inner else self.what


def _misspelt(missing: list[str], unknown: list[str]) -> dict[str, str]:
    """Which unknown key was meant as which missing one; of a missing key, even short words are near."""
    found: dict[str, str] = {}
    for key in missing:
        near = nearest(key, unknown) or [word for word in unknown if word and distance(word, key, 1) <= 1]
        if near and near[0] not in found:
            found[near[0]] = key
    return found
