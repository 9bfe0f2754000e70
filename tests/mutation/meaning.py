"""
Which mutants mean something to a checker: the rule by which equivalent ones are left out.

A mutant counts unless *every* difference between the data before and after is one of these:

- a free text changed: `summary`, `description`, `title`, `tags`, `operationId`, `id`, `examples`, `$comment`, log
  attributes, and what stands in `config/`, `mappings/` or gsws.yaml's `name` and `version`;
- a coined word changed: one of an `enum`, a scope, the path, an issuer, a pattern that is still one, a default text
  in the form that its place asks for;
- an amount changed into another amount: a number, a duration or a size of the right form, a port;
- a coined name changed that nothing in the project repeats: a property, a definition, an emitted event type, an event's
  own part of its key;
- an optional key went away, is null, or has another value of the right kind: a schema, `true` for
  `additionalProperties`, other words of a list, fewer `required` names;
- in Python: no name of a function changed, or the file has no other function, so that it is meant anyway.

What reads the same (white space, quotes, comments) has no difference and is left out. gsws's checks are never asked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Change", "Path", "changes", "is_meant", "role", "words_in"]

Path = tuple[str | int, ...]
Role = Literal["free", "coined", "amount", "name", "word", "schema"]

_MISSING: Any = object()
_AMOUNT = re.compile(r"\d+(\.\d+)?(ms|s|m|h|d|B|kB|KB|MB|GB|KiB|MiB|GiB)?")
_ORIGIN = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")
_ADDRESS = re.compile(r"(\d{1,3}\.){3}\d{1,3}|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]+|localhost")
_FREE = {"summary", "description", "title", "tags", "operationId", "id", "examples", "$comment"}
_SCHEMAS = {"schema", "payload", "reply"}
_ONE = {
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
}  # fmt: skip
_MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_AMOUNTS = {
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "minProperties", "maxProperties",
}  # fmt: skip
_SOURCE_AMOUNTS = {
    "port",
    "queue",
    "queue_bytes",
    "leeway",
    "interval",
    "timeout",
    "per",
    "burst",
    "messages",
    "handshake_timeout",
}
_REQUIRED = {
    "events": {"fn"}, "rate": {"messages"}, "on_disconnect": {"grace"}, "params": {"name", "in"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of two data; ``old`` or ``new`` is missing if the key came or went."""

    path: Path
    old: Any
    new: Any
    renamed: str | None = None


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """The differences; a key that went and one that came with an equal value are one that was renamed."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [key for key in old if key not in new]
        came = [key for key in new if key not in old]
        for key in list(gone):
            same = [other for other in came if new[other] == old[key]]
            if len(same) == 1 and len(gone) == len(came) == 1:
                yield Change((*path, key), old[key], new[same[0]], renamed=same[0])
                gone.remove(key)
                came.remove(same[0])
        for key in gone:
            yield Change((*path, key), old[key], _MISSING)
        for key in came:
            yield Change((*path, key), _MISSING, new[key])
        for key in old:
            if key in new:
                yield from changes(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changes(one, other, (*path, index))
    elif type(old) is not type(new) or old != new:
        yield Change(path, old, new)


def is_meant(file: str, change: Change, repeated: Mapping[str, int]) -> bool:
    """
    Whether a checker could know that the change is a mistake.

    Args:
        file: The file's path in the project.
        change: A difference of its data.
        repeated: How often each word stands in the project.
    """
    if not change.path:
        return change.new is not None
    where = role(file, change.path)
    if change.renamed is not None:
        if where == "free":
            return False
        word = str(change.path[-1])
        if file.startswith("events/") and len(change.path) == 1:
            kept = re.match(r"[^.]*\.", word)
            fits = re.fullmatch(r"[\w& .-]*[\w-]", change.renamed) is not None and ".." not in change.renamed
            return kept is None or not change.renamed.startswith(kept.group()) or not fits or repeated[word] > 1
        return where != "name" or repeated[word] > 1
    if change.new is _MISSING or change.new is None:
        return _is_required(file, change.path) or (where == "name" and repeated[str(change.path[-1])] > 1)
    if change.old is _MISSING:
        return where not in ("free", "name")
    if where == "free":
        return isinstance(change.old, str) and isinstance(change.new, list | dict) and change.path[-1] != "examples"
    if where == "coined":
        return not (isinstance(change.new, str) and _still_fits(change))
    if where == "amount":
        return not _is_amount(change.new) or _is_amount(change.old) != _is_amount(change.new)
    if where in ("schema", "name"):
        return not isinstance(change.new, dict | bool)
    if change.path[-1] in ("enum", "required", "scopes", "origins", "tags"):
        return not _is_choice(change)
    return not (change.path[-1] == "additionalProperties" and isinstance(change.new, dict | bool))


def role(file: str, path: Path) -> Role:
    """What a place in a file holds; for a key that was renamed, the place is the key's own."""
    folder = file.partition("/")[0]
    if folder in ("config", "mappings") or file == ".env.example":
        return "free"
    if file == "gsws.yaml":
        return "free" if path[:1] in (("name",), ("version",)) else _amount_or_word(path)
    if folder == "definitions":
        return "name" if len(path) == 1 else _in_schema(path[1:])
    if folder == "eventsources":
        return _in_source(path)
    return _in_event(path[1:]) if len(path) > 1 else "word"


def words_in(texts: Mapping[str, str]) -> dict[str, int]:
    """How often each word stands in a project; whatever stands twice is referred to."""
    count: dict[str, int] = _Count()
    for path, text in texts.items():
        for said in _literals(text) if path.endswith(".py") else [re.sub(r"(?m)(^|\s)#.*$", "", text)]:
            for word in re.findall(r"[\w$-]+(?:\.[\w-]+)*", said):
                for part in {word, *word.split(".")}:
                    count[part] = count.get(part, 0) + 1
    return count


def _literals(text: str) -> Iterator[str]:
    """The texts that a Python file hands over; what describes it (docstrings, comments) refers to nothing."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


class _Count(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 0


def _in_event(path: Path) -> Role:
    head, *rest = path
    if head in _FREE or path[:2] == ("log", "attributes"):
        return "free" if len(path) > 1 or head in _FREE else "word"
    for index, step in enumerate(path):
        if step in _SCHEMAS and (index == 0 or path[0] in ("params", "body", "responses")):
            return _in_schema(path[index + 1 :]) if index + 1 < len(path) else "word"
    if head == "emits" and rest:
        return "name" if len(rest) == 1 else _in_schema(tuple(rest[1:]))
    if path[-2:-1] == ("scopes",) or (head == "params" and path[-1] == "name"):
        return "coined"
    if head == "params" and path[-1] == "description":
        return "free"
    return _amount_or_word(path)


def _in_source(path: Path) -> Role:
    if path[0] in ("host", "path", "origins") or path[-1] in ("issuer", "audience"):
        return "coined" if path[-1] not in ("host", "origins") or len(path) == 1 else "word"
    return _amount_or_word(path)


def _amount_or_word(path: Path) -> Role:
    amounts = {"timeout", "grace", "drain_timeout", "window", "bytes", "connections", "in_flight", "json_depth"}
    return "amount" if path[-1] in amounts | _SOURCE_AMOUNTS | {"message_bytes"} else "word"


def _in_schema(path: Path) -> Role:
    if not path:
        return "schema"
    head, *rest = path
    inner = tuple(rest)
    if head in _FREE or head in ("default", "const", "enum"):
        if head in ("const", "enum", "default"):
            return "word" if not inner and head != "const" else "coined"
        return "free"
    if head in _NAMED:
        return "word" if not inner else "name" if len(inner) == 1 else _in_schema(inner[1:])
    if head in _MANY:
        return "word" if not inner else _in_schema(inner[1:])
    if head in _ONE:
        return _in_schema(inner) if inner else "word"
    if head == "pattern":
        return "coined"
    return "amount" if head in _AMOUNTS else "word"


def _still_fits(change: Change) -> bool:
    key, text = change.path[-1], change.new
    if key == "pattern":
        try:
            re.compile(text)
        except re.error:
            return False
        return True
    if "origins" in change.path:
        return _ORIGIN.fullmatch(text) is not None
    if key == "host":
        return _ADDRESS.fullmatch(text) is not None
    if key == "path":
        return text.startswith("/")
    if key == "const":
        return False
    return bool(text)


def _is_choice(change: Change) -> bool:
    """A list of other coined words, or of some of the names that were required."""
    new, old = change.new, change.old
    if not isinstance(new, list) or not isinstance(old, list) or not all(isinstance(one, str) for one in new):
        return False
    return set(new) <= set(old) if change.path[-1] == "required" else len(set(new)) == len(new) > 0


def _is_amount(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and _AMOUNT.fullmatch(value) is not None)


def _is_required(file: str, path: Path) -> bool:
    if file.startswith("eventsources/"):
        return path == ("type",)
    if file.startswith("events/"):
        if len(path) == 2:
            return path[-1] == "fn"
        if len(path) == 1:
            return False
        above = path[-3] if isinstance(path[-2], int) else path[-2]
        return path[-1] in _REQUIRED.get(str(above), ())
    return False
