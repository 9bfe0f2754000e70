"""
GS402: keywords and formats that a draft does not know, and so check nothing.

A misspelt one is an error. What other tools write and read is a warning, as is a word that is like none: JSON Schema
says that it is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gsws.diagnostics.finding import Severity
from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import FORMATS, INERT_FORMATS, KEYWORDS, Draft, walk
from gsws.schema.finding import SchemaFinding
from gsws.schema.messages import tick
from gsws.schema.meta import fits_keyword
from gsws.schema.references import value_at
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["unknown_format", "unknown_keywords"]

_SILENT: Final = frozenset(["$defs", "definitions", "$comment", "examples", "readOnly", "writeOnly", "deprecated"])
"""Keywords of other drafts that describe, or hold schemas for references to lead to: they work in every draft."""

_MOVED: Final[dict[str, str]] = {
    "discriminator": "write `const` for the property in each branch of `oneOf`",
    "dependencies": "write `dependentRequired` or `dependentSchemas`",
    "additionalItems": "write `prefixItems` for the first items and `items` for the others",
    "id": "write `$id`",
    "optional": "leave the property out of `required`",
    "$recursiveRef": "write `$dynamicRef`",
    "$recursiveAnchor": "write `$dynamicAnchor`",
}
_COUNTING: Final = frozenset(
    {
        "not", "if", "oneOf", "contains", "dependentSchemas", "dependencies", "unevaluatedProperties",
        "unevaluatedItems",
    }
)  # fmt: skip
"""Keywords by which more may be refused when a schema under or beside them accepts more."""

_OPEN_API: Final = frozenset(["xml", "externalDocs", "discriminator", "nullable"])


def unknown_keywords(
    schema: dict[str, Any], pointer: Pointer, draft: Draft, root: JSONValue, *, chosen: bool, own: bool
) -> Iterator[SchemaFinding]:
    """
    The keywords of one schema that mean nothing in its draft.

    Args:
        schema: The one.
        pointer: Where it stands.
        draft: What it is read as.
        root: The schema around it, in which its branches may refer to places.
        chosen: Whether somebody wrote the draft down, so that what it ignores is ignored knowingly.
        own: Whether no other file can refer to it.
    """
    for keyword, value in schema.items():
        if keyword in draft.keywords or keyword.startswith("x-") or keyword in _SILENT:
            continue
        if keyword == "discriminator" and _is_told_apart(schema, value, root):
            continue
        if keyword == "nullable" and isinstance(value, bool):
            yield from _nullable(schema, pointer, value=value, certain=own and _only_widens(pointer, root))
            continue
        known = keyword in KEYWORDS
        near = [] if keyword in _MOVED or keyword in _OPEN_API or known else nearest(keyword, draft.keywords)
        meant = bool(near) and fits_keyword(near[0], value, draft)
        if keyword in _MOVED:
            help = _MOVED[keyword]
        elif near:
            help = f"did you mean `{near[0]}`?"
        elif known:
            help = "name the draft that has it with `$schema`"
        else:
            help = "the names of an object's values stand under `properties`; a keyword of your own starts with `x-`"
        wrong = meant or (known and not chosen) or keyword == "optional"
        yield SchemaFinding(
            "GS402",
            f"unknown schema keyword {tick(keyword)}{f' in {draft.name}' if known else ''}; it would check nothing",
            (*pointer, keyword),
            on_key=True,
            label="not a keyword",
            help=help,
            severity=Severity.ERROR if wrong else Severity.WARNING,
            replacement=near[0] if meant and near[0] not in schema else None,
        )


def unknown_format(schema: dict[str, Any], pointer: Pointer) -> Iterator[SchemaFinding]:
    """The format of one schema, if it is none that is asserted. Its name is never repaired."""
    name = schema.get("format")
    if not isinstance(name, str) or name in FORMATS:
        return
    near = [] if name in INERT_FORMATS else nearest(name, FORMATS)
    if near:
        message, label, help = f"unknown format {tick(name)}; it would check nothing", "not a format", None
        help = f"did you mean `{near[0]}`?"
    else:
        message, label = f"the format {tick(name)} is not asserted", "checks nothing"
        help = "state what is meant with `minimum`, `maximum`, `pattern` or `contentEncoding`"
    severity = Severity.ERROR if near else Severity.WARNING
    yield SchemaFinding("GS402", message, (*pointer, "format"), label=label, help=help, severity=severity)


def _only_widens(pointer: Pointer, root: JSONValue) -> bool:
    """Whether the whole schema accepts what it accepted, and more, when the one at ``pointer`` accepts more."""
    if not _COUNTING.isdisjoint(map(str, pointer)):
        return False
    used = {keyword for _, inner in walk(root) for keyword in inner}
    # A reference may lead here from under any of them.
    return used.isdisjoint(_COUNTING) or used.isdisjoint(("$ref", "$dynamicRef", "$recursiveRef"))


def _nullable(schema: dict[str, Any], pointer: Pointer, *, value: bool, certain: bool) -> Iterator[SchemaFinding]:
    """OpenAPI's way to allow null; the repair names the type that is there, where null is then surely accepted."""
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    if not value or "null" in names:
        help = "leave it out"
    elif "enum" in schema or "const" in schema:
        help = "list null among the values too: `enum: [..., null]`, and write `type: [..., 'null']`"
    elif names:
        help = f"write `type: [{', '.join(map(str, names))}, 'null']`"
    elif "$ref" in schema:
        help = "write `anyOf: [{$ref: ...}, {type: 'null'}]`"
    else:
        help = "write `type: [string, 'null']`, with the type that is meant"
    null = f"[{', '.join(map(str, names))}, 'null']"
    open_to_null = bool(names) and "null" not in names and "enum" not in schema and "const" not in schema
    repairable = value and certain and open_to_null
    yield SchemaFinding(
        "GS402",
        "`nullable` is OpenAPI's and does nothing in JSON Schema" + ("; null is refused" if value else ""),
        (*pointer, "nullable"),
        on_key=True,
        label="not a keyword",
        help=help,
        severity=Severity.WARNING,
        replacement=null if repairable else None,
        instead=(*pointer, "type") if repairable else None,
    )


def _is_told_apart(schema: dict[str, Any], value: JSONValue, root: JSONValue) -> bool:
    """Whether each branch has a constant of its own for the property that ``discriminator`` names."""
    name = value.get("propertyName") if isinstance(value, dict) else None
    branches = schema.get("oneOf", schema.get("anyOf"))
    if not isinstance(name, str) or not isinstance(branches, list) or not branches:
        return False
    for branch in branches:
        properties = _followed(branch, root).get("properties")
        own = properties.get(name) if isinstance(properties, dict) else None
        if not isinstance(own, dict) or ("const" not in own and "enum" not in own):
            return False
    return True


def _followed(branch: JSONValue, root: JSONValue) -> dict[str, Any]:
    """A branch, or what it refers to in the same schema."""
    for _ in range(8):
        reference = branch.get("$ref") if isinstance(branch, dict) else None
        if not isinstance(reference, str) or "#/" not in reference:
            break
        branch = value_at(reference.partition("#")[2], root)
    return branch if isinstance(branch, dict) else {}
