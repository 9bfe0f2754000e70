"""
Where a ``$ref`` leads: inside its own schema, to a definitions file, or nowhere.

Texts only, no files and never the network: what is not among the documents given does not exist.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin

from gsws.schema.drafts import walk
from gsws.source.span import Pointer
from gsws.types import JSONValue

__all__ = [
    "Lost",
    "Resource",
    "Target",
    "at",
    "definition_name",
    "missing",
    "pointer_text",
    "pointer_tokens",
    "resolve",
    "schemas_in",
    "uri_of",
]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_META: Final = re.compile(r"https?://json-schema\.org/draft[-/][0-9-]+/(?:schema|meta/[a-z-]+)#?\Z")
_BASE: Final = "gsws:///"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reference leads: a resource by its path, ``""`` for the schema itself, and a place in it."""

    resource: str
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Lost:
    """
    Why a reference leads nowhere.

    Attributes:
        remote: Whether it points out of the project, rather than to something that is not there.
        message: One sentence.
        candidates: References that would be right.
    """

    remote: bool
    message: str
    candidates: tuple[str, ...] = ()


class Resource:
    """
    One text that schemas live in: a definitions file as a whole, or one schema of an event.

    Attributes:
        path: Of the file; ``""`` for a schema of an event.
        folder: What relative references start from.
        data: The whole.
        roots: The places of the schemas in it.
        ids: Absolute and relative ``$id`` to places.
        anchors: ``$anchor`` to places, by the place of the schema whose ``$id`` they belong to.
        bases: Places that have an ``$id``, with it.
    """

    __slots__ = ("anchors", "bases", "data", "folder", "ids", "path", "roots")

    def __init__(self, path: str, folder: str, data: JSONValue, roots: Iterable[Pointer]) -> None:
        self.path = path
        self.folder = folder
        self.data = data
        self.roots = tuple(roots)
        self.ids: dict[str, Pointer] = {}
        self.bases: dict[Pointer, str] = {}
        self.anchors: dict[tuple[Pointer, str], Pointer] = {}
        for root in self.roots:
            self._index(root)

    def base(self, pointer: Pointer) -> tuple[Pointer, str]:
        """The nearest enclosing place with an ``$id``, and the id; the resource itself without one."""
        if self.bases:
            for length in range(len(pointer), -1, -1):
                if pointer[:length] in self.bases:
                    return pointer[:length], self.bases[pointer[:length]]
        return (), ""

    def _index(self, root: Pointer) -> None:
        for pointer, schema in walk(at(self.data, root), root):
            identifier = schema.get("$id", schema.get("id"))
            if isinstance(identifier, str) and identifier and not identifier.startswith("#"):
                _, outer = self.base(pointer[:-1]) if pointer else ((), "")
                absolute = urljoin(outer, identifier).rstrip("#")
                self.bases[pointer] = absolute
                self.ids.setdefault(absolute, pointer)
            elif isinstance(identifier, str) and len(identifier) > 1:
                self.anchors.setdefault((self.base(pointer)[0], identifier[1:]), pointer)
            for keyword in ("$anchor", "$dynamicAnchor"):
                name = schema.get(keyword)
                if isinstance(name, str):
                    self.anchors.setdefault((self.base(pointer)[0], name), pointer)


def resolve(
    reference: str, resource: Resource, pointer: Pointer, files: Mapping[str, Resource]
) -> Target | Lost | None:
    """
    Find where a reference leads.

    Args:
        reference: The value of ``$ref``.
        resource: Where it stands.
        pointer: The place of the schema that has it.
        files: The definitions files by path.

    Returns:
        The target; why there is none; or None for a meta-schema, which the engine brings along.
    """
    base, identifier = resource.base(pointer)
    address, _, fragment = reference.partition("#")
    fragment = unquote(fragment)
    if not address:
        return _inside(reference, fragment, resource, base, files)
    absolute = urljoin(identifier, address) if identifier else address
    for other in (resource, *files.values()):
        if absolute in other.ids:
            return _inside(reference, fragment, other, other.ids[absolute], files)
    if _META.match(address):
        return None
    if _SCHEME.match(address) or address.startswith("//"):
        return Lost(True, f"`{_short(reference)}` is not in the project, and nothing is ever fetched")
    path = posixpath.normpath(posixpath.join(resource.folder, unquote(address)))
    if path.startswith(("../", "/")) or path == "..":
        return Lost(True, f"`{_short(reference)}` leaves the project")
    other_file = files.get(path)
    if other_file is None:
        near = tuple(_relative(name, resource.folder) + (f"#{fragment}" if fragment else "") for name in files)
        return Lost(False, f"there is no definitions file `{_short(path)}`", near)
    return _inside(reference, fragment, other_file, (), files)


def schemas_in(data: JSONValue, keywords: frozenset[str], pointer: Pointer = (), depth: int = 0) -> Iterator[Pointer]:
    """
    The places of the schemas in a definitions file: the file itself, its keys, or keys of its groups.

    A mapping none of whose keys is a keyword, and all of whose values are mappings or booleans, is a group.
    """
    if isinstance(data, dict) and depth < 8:
        own = {key: value for key, value in data.items() if key not in ("$schema", "$comment")}
        group = bool(own) and all(isinstance(value, (dict, bool)) or value is None for value in own.values())
        if group and (depth == 0 or not any(key in keywords for key in own)):
            is_schema = depth == 0 and all(key in keywords for key in own)
            if not is_schema:
                for key, value in own.items():
                    if isinstance(value, dict):
                        yield from schemas_in(value, keywords, (*pointer, key), depth + 1)
                return
    if isinstance(data, dict) and data:
        yield pointer


def missing(lost: Lost, nearest: list[str]) -> str:
    """The help line for a reference that leads nowhere."""
    if lost.remote:
        return "copy what it points to into `definitions/` and refer to it there"
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    if lost.candidates:
        return f"there is {', '.join(f'`{name}`' for name in lost.candidates[:5])}"
    return "shared schemas stand in `definitions/FILE.yaml`: `#/definitions/FILE/KEY`"


def definition_name(path: str) -> tuple[str, ...]:
    """How ``#/definitions/…`` calls a file: ``definitions/dir/file.yaml`` is ``("dir", "file")``."""
    parts = path.rsplit(".", 1)[0].split("/")
    if "definitions" in parts[:2]:
        parts = parts[parts.index("definitions") + 1 :]
    return tuple(parts)


def at(data: JSONValue, pointer: Pointer) -> JSONValue:
    """The value at a pointer that is known to be there."""
    for item in pointer:
        data = data[item]
    return data


def pointer_tokens(text: str) -> list[str]:
    """The items of a JSON pointer such as ``/a/b~1c`` (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def pointer_text(pointer: Iterable[str | int]) -> str:
    """A JSON pointer from its items (RFC 6901)."""
    return "".join(f"/{str(item).replace('~', '~0').replace('/', '~1')}" for item in pointer)


def uri_of(target: Target) -> str:
    """The reference that the engine gets for a target."""
    return f"{_BASE}{quote(target.resource)}#{quote(pointer_text(target.pointer), safe='/~')}"


def _inside(
    reference: str, fragment: str, resource: Resource, base: Pointer, files: Mapping[str, Resource]
) -> Target | Lost:
    if not fragment:
        return Target(resource.path, base)
    if not fragment.startswith("/"):
        pointer = resource.anchors.get((base, fragment))
        if pointer is not None:
            return Target(resource.path, pointer)
        names = tuple(f"#{name}" for where, name in resource.anchors if where == base)
        return Lost(False, f"`{_short(reference)}` names no `$anchor`", names)
    tokens = pointer_tokens(fragment)
    found = _descend(resource.data, base, tokens)
    if found is not None:
        return Target(resource.path, found)
    if tokens[0] == "definitions":
        target = _definition(tokens[1:], files)
        if target is not None:
            return target
    return Lost(False, f"`{_short(reference)}` leads nowhere", tuple(_known(resource, base, files)))


def _definition(tokens: list[str], files: Mapping[str, Resource]) -> Target | None:
    """The place that ``#/definitions/…`` means in the project: the longest file name that fits wins."""
    best: tuple[int, Target] | None = None
    for path, resource in files.items():
        name = definition_name(path)
        rests: list[list[str]] = []
        if tuple(tokens[: len(name)]) == name:
            rests.append(tokens[len(name) :])
        dotted = ".".join(name)
        if tokens and (tokens[0] == dotted or tokens[0].startswith(dotted + ".")):
            key = tokens[0][len(dotted) + 1 :]
            rests.append([key, *tokens[1:]] if key else tokens[1:])
            if "." in key:
                rests.append([*key.split("."), *tokens[1:]])
        for rest in rests:
            pointer = _descend(resource.data, (), rest)
            if pointer is not None and (best is None or len(name) > best[0]):
                best = len(name), Target(path, pointer)
    return None if best is None else best[1]


def _descend(data: JSONValue, base: Pointer, tokens: list[str]) -> Pointer | None:
    pointer = list(base)
    current = at(data, base)
    for token in tokens:
        if isinstance(current, dict) and token in current:
            pointer.append(token)
            current = current[token]
        elif isinstance(current, list) and token.isascii() and token.isdigit() and int(token) < len(current):
            pointer.append(int(token))
            current = current[int(token)]
        else:
            return None
    return tuple(pointer) if isinstance(current, (dict, bool)) else None


def _known(resource: Resource, base: Pointer, files: Mapping[str, Resource]) -> Iterator[str]:
    own: Any = at(resource.data, base)
    if isinstance(own, dict):
        for keyword in ("$defs", "definitions"):
            group = own.get(keyword)
            if isinstance(group, dict):
                for key in group:
                    yield f"#{pointer_text((keyword, key))}"
    if resource.path:
        yield from (f"#{pointer_text(root)}" for root in resource.roots if root)
    for path, other in files.items():
        for root in other.roots:
            yield f"#{pointer_text(('definitions', *definition_name(path), *root))}"


def _relative(path: str, folder: str) -> str:
    relative = posixpath.relpath(path, folder or ".")
    return relative if relative.startswith(".") else f"./{relative}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
