"""
Where a ``$ref`` leads: inside its own schema, to a definitions file, or nowhere.

Texts only, no files and never the network: what is not among the documents given does not exist.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin

from gsws.schema.drafts import DEFAULT, DRAFTS, draft_of, walk
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = [
    "Files",
    "Lost",
    "Resource",
    "Target",
    "at",
    "candidates_of",
    "definition_name",
    "fragment_of",
    "index_of",
    "missing",
    "pointer_text",
    "pointer_tokens",
    "resolve",
    "schemas_in",
    "uri_of",
    "value_at",
]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_META: Final = re.compile(r"https?://json-schema\.org/draft[-/][0-9-]+/(?:schema|meta/[a-z-]+)#?\Z")
_BASE: Final = "gsws:///"
_MAX_CANDIDATES: Final = 2_000
_MAX_DIGITS: Final = 9
"""An index of more digits is beyond any list, and `int` is slow on long ones."""


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
        candidates: Makes references that would be right.
    """

    remote: bool
    message: str
    candidates: Callable[[], Iterable[str]] = tuple


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
        dynamic: Whether ``$dynamicRef`` or ``$recursiveRef`` occurs.
        mixed: Whether a schema inside names another draft than the whole.
    """

    __slots__ = ("anchors", "bases", "data", "dynamic", "folder", "ids", "mixed", "path", "roots")

    def __init__(self, path: str, folder: str, data: JSONValue, roots: Iterable[Pointer]) -> None:
        self.path = path
        self.folder = folder
        self.data = data
        self.roots = tuple(roots)
        self.ids: dict[str, Pointer] = {}
        self.bases: dict[Pointer, str] = {}
        self.anchors: dict[tuple[Pointer, str], Pointer] = {}
        self.dynamic = self.mixed = False
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
        whole = at(self.data, root)
        draft = draft_of(whole, draft_of(self.data) or DEFAULT) or DEFAULT
        key = "id" if draft is DRAFTS[-1] else "$id"
        for pointer, schema in walk(whole, root):
            if "$dynamicRef" in schema or "$recursiveRef" in schema:
                self.dynamic = True
            if pointer != root and draft_of(schema, draft) is not draft:
                self.mixed = True
            if draft.lone_ref and "$ref" in schema:
                continue
            identifier = schema.get(key)
            if isinstance(identifier, str) and identifier and not identifier.startswith("#"):
                absolute = _joined(self.base(pointer[:-1])[1] if pointer else "", identifier)
                if absolute is not None:
                    absolute = absolute.rstrip("#")
                    self.bases[pointer] = absolute
                    self.ids.setdefault(absolute, pointer)
            elif isinstance(identifier, str) and len(identifier) > 1:
                self.anchors.setdefault((self.base(pointer)[0], identifier[1:]), pointer)
            for keyword in ("$anchor", "$dynamicAnchor"):
                name = schema.get(keyword)
                if isinstance(name, str):
                    self.anchors.setdefault((self.base(pointer)[0], name), pointer)


class Files:
    """
    The definitions files, found by path, by ``$id`` and by the names that ``#/definitions/…`` uses.

    Attributes:
        resources: By path.
    """

    __slots__ = ("_dotted", "_ids", "_names", "resources")

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self.resources = resources
        self._ids: dict[str, Target] = {}
        self._names: dict[tuple[str, ...], list[str]] = {}
        self._dotted: dict[str, list[str]] = {}
        for path, resource in resources.items():
            for identifier, pointer in resource.ids.items():
                self._ids.setdefault(identifier, Target(path, pointer))
            name = definition_name(path)
            self._names.setdefault(name, []).append(path)
            self._dotted.setdefault(".".join(name), []).append(path)

    def by_id(self, identifier: str) -> Target | None:
        """The schema that has an ``$id``; of several the first."""
        return self._ids.get(identifier)

    def definition(self, tokens: list[str]) -> Target | None:
        """The place that ``#/definitions/…`` means in the project: the longest file name that fits wins."""
        for path, rest in self._readings(tokens):
            pointer = _descend(self.resources[path].data, (), rest)
            if pointer is not None:
                return Target(path, pointer)
        return None

    def _readings(self, tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
        """Files that the first tokens may name, each with the tokens that are left; long names first."""
        words = tokens[0].split(".") if tokens else []
        for count in range(max(len(tokens), len(words)), 0, -1):
            for path in self._names.get(tuple(tokens[:count]), ()) if count <= len(tokens) else ():
                yield path, tokens[count:]
            for path in self._dotted.get(".".join(words[:count]), ()) if count <= len(words) else ():
                rest = words[count:]
                yield path, [".".join(rest), *tokens[1:]] if rest else tokens[1:]
                if len(rest) > 1:
                    yield path, [*rest, *tokens[1:]]


def resolve(reference: str, resource: Resource, pointer: Pointer, files: Files) -> Target | Lost | None:
    """
    Find where a reference leads.

    Args:
        reference: The value of ``$ref``.
        resource: Where it stands.
        pointer: The place of the schema that has it.
        files: The definitions files.

    Returns:
        The target; why there is none; or None for a meta-schema, which the engine brings along.
    """
    base, identifier = resource.base(pointer)
    address, _, fragment = reference.partition("#")
    if not address:
        return _inside(reference, fragment, resource, base, files)
    absolute = _joined(identifier, address)
    if absolute is None:
        return Lost(False, f"`{_short(reference)}` is no address")
    if absolute in resource.ids:
        return _inside(reference, fragment, resource, resource.ids[absolute], files)
    known = files.by_id(absolute)
    if known is not None:
        return _inside(reference, fragment, files.resources[known.resource], known.pointer, files)
    if _META.match(address):
        return None
    if _SCHEME.match(address) or address.startswith("//"):
        return Lost(True, f"`{_short(reference)}` is not in the project, and nothing is ever fetched")
    path = posixpath.normpath(posixpath.join(resource.folder, unquote(address)))
    if path.startswith(("../", "/")) or path == "..":
        return Lost(True, f"`{_short(reference)}` leaves the project")
    other_file = files.resources.get(path)
    if other_file is None:
        end = f"#{unquote(fragment)}" if fragment else ""
        return Lost(
            False,
            f"there is no definitions file `{_short(path)}`",
            lambda: (_relative(name, resource.folder) + end for name in files.resources),
        )
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


def missing(lost: Lost, nearest: list[str], candidates: list[str]) -> str:
    """The help line for a reference that leads nowhere."""
    if lost.remote:
        return "copy what it points to into `definitions/` and refer to it there"
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    if candidates:
        return f"there is {', '.join(f'`{_short(name)}`' for name in candidates[:5])}"
    return "shared schemas stand in `definitions/FILE.yaml`: `#/definitions/FILE/KEY`"


def candidates_of(lost: Lost) -> list[str]:
    """References that would be right, the first 2,000."""
    return list(islice(lost.candidates(), _MAX_CANDIDATES))


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


def value_at(fragment: str, data: JSONValue) -> JSONValue:
    """The value that a fragment such as ``/a/b%20c`` leads to; None if there is none."""
    for token in pointer_tokens(unquote(fragment)):
        if isinstance(data, list):
            number = index_of(token, data)
            data = None if number is None else data[number]
        else:
            data = data.get(token) if isinstance(data, dict) else None
    return data


def fragment_of(pointer: Iterable[str | int]) -> str:
    """A JSON pointer as the fragment of a URI: what its grammar lacks is percent-encoded (RFC 6901, section 6)."""
    return "#" + quote(pointer_text(pointer), safe="/~", errors="replace")


def uri_of(target: Target) -> str:
    """The reference that the engine gets for a target."""
    return f"{_BASE}{quote(target.resource)}{fragment_of(target.pointer)}"


def index_of(token: str, items: list[Any]) -> int | None:
    """The place in a list that an item of a JSON pointer names, None if there is none (RFC 6901, section 4)."""
    if not (token.isascii() and token.isdigit() and len(token) <= _MAX_DIGITS):
        return None
    return int(token) if int(token) < len(items) else None


def _joined(base: str, address: str) -> str | None:
    """An address seen from another one; None if it is none, such as ``http://[``."""
    try:
        return urljoin(base, address) if base else address
    except ValueError:
        return None


def _inside(reference: str, fragment: str, resource: Resource, base: Pointer, files: Files) -> Target | Lost:
    if not fragment:
        return Target(resource.path, base)
    written, fragment = fragment, unquote(fragment)
    if not fragment.startswith("/"):
        pointer = resource.anchors.get((base, fragment))
        if pointer is not None:
            return Target(resource.path, pointer)
        return Lost(
            False,
            f"`{_short(reference)}` names no `$anchor`",
            lambda: (f"#{name}" for where, name in resource.anchors if where == base),
        )
    # A generator that forgot to encode the `%` of a name means the name as it stands.
    for text in dict.fromkeys((fragment, written)):
        tokens = pointer_tokens(text)
        found = _descend(resource.data, base, tokens)
        if found is not None:
            return Target(resource.path, found)
        if tokens and tokens[0] == "definitions":
            target = files.definition(tokens[1:])
            if target is not None:
                return target
    return Lost(False, f"`{_short(reference)}` leads nowhere", lambda: _known(resource, base, files))


def _descend(data: JSONValue, base: Pointer, tokens: list[str]) -> Pointer | None:
    pointer = list(base)
    current = at(data, base)
    for token in tokens:
        number = index_of(token, current) if isinstance(current, list) else None
        if isinstance(current, dict) and token in current:
            pointer.append(token)
            current = current[token]
        elif number is not None:
            pointer.append(number)
            current = current[number]
        else:
            return None
    return tuple(pointer) if isinstance(current, (dict, bool)) else None


def _known(resource: Resource, base: Pointer, files: Files) -> Iterator[str]:
    own: Any = at(resource.data, base)
    if isinstance(own, dict):
        for keyword in ("$defs", "definitions"):
            group = own.get(keyword)
            if isinstance(group, dict):
                for key in group:
                    yield f"#{pointer_text((keyword, key))}"
    if resource.path:
        yield from (f"#{pointer_text(root)}" for root in resource.roots if root)
    for path, other in files.resources.items():
        for root in other.roots:
            yield f"#{pointer_text(('definitions', *definition_name(path), *root))}"


def _relative(path: str, folder: str) -> str:
    relative = posixpath.relpath(path, folder or ".")
    return relative if relative.startswith(".") else f"./{relative}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
