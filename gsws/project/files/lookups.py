"""
Look-ups in YAML values: ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}`` and ``<% config.a.b %>``.

Names are looked up and nothing is ever evaluated. Keys are taken as written. Where variables come from is
`gsws.project.files.environment`'s matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from gsws.diagnostics.finding import Finding, error
from gsws.project.reporting.wording import did_you_mean, type_name
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer, Span
from gsws.types import JSONValue
from gsws.yaml.document import Document
from gsws.yaml.scalars import UNREPRESENTABLE, resolve

__all__ = ["Area", "Expanded", "Lookups", "Unresolved", "expand", "plain"]

_TOKEN: Final = re.compile(r"\$\$|\$\{[^}]*\}|\$\{|<%.*?%>|<%", re.DOTALL)
# A schema is full of dollar signs that are its own: anchors, prices, templates. There only the exact form counts.
_TRUE: Final = r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::[-?][^}]*)?\}|<%\s*(?:config|mappings|process\.env)(?:\.[\w$@-]+)+\s*%>"
_TOKEN_IN_SCHEMA: Final = re.compile(rf"\$\$(?=\{{)|{_TRUE}")
# In a regular expression a backslash escapes the `$`, and `$$` is two anchors.
_TOKEN_IN_PATTERN: Final = re.compile(rf"\\.|{_TRUE}", re.DOTALL)
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL | re.ASCII)
_OPTIONAL: Final = re.compile(r"\s*\$\{\w+:-\s*\}\s*", re.ASCII)
"""The form that says itself that the value may be missing."""
_PATH: Final = re.compile(r"[\w$@-]+(?:\.[\w$@-]+)*")
_MAX_TEXT: Final = 1_000_000
_MAX_MADE: Final = 20_000_000
"""Characters that the look-ups inside of a file's texts may come to together."""

_MAX_FAILURES: Final = 20

Area: TypeAlias = Literal["keys", "data", "schema"]
"""
What a part of a file is: gsws's own keys, where null counts as absent; data, where null is a value like any other;
or schemas with what describes them, where in addition only ``${NAME}`` in its exact form is a look-up.
"""


class Unresolved(str):
    """Stands for a value whose look-up failed; the finding has been made, no rule needs to add one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Lookups:
    """
    Where names are looked up.

    Attributes:
        environ: Environment variables.
        config: The merged config, or None where it is not known yet.
        mappings: The mappings by file name, or None where they are not known yet.
    """

    environ: Mapping[str, str]
    config: Mapping[str, Any] | None = None
    mappings: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Expanded:
    """
    A document's data after look-ups, without the null values of gsws's own keys.

    Attributes:
        data: A copy; belongs to who asked for it.
        texts: The text of every value that came whole from a look-up, before it took its type.
        dynamic: Places whose value holds something looked up: not to be quoted in a finding.
        dropped: Keys that are written and null, by themselves or by what they look up, by the place they stand in.
        failed: Places whose look-up failed.
        findings: What they failed of.
        looked: The variables that were looked up, with their values: no output may show one.
    """

    document: Document
    data: JSONValue = None
    texts: dict[Pointer, str] = field(default_factory=dict)
    dynamic: set[Pointer] = field(default_factory=set)
    dropped: dict[Pointer, list[str]] = field(default_factory=dict)
    failed: set[Pointer] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    looked: dict[str, str] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Whether the outcome depends on anything but the document."""
        return bool(self.dynamic)


def expand(document: Document, lookups: Lookups, area: Callable[[Pointer], Area] | Area = "keys") -> Expanded:
    """
    Copy a document's data with every look-up replaced by what it names.

    Args:
        document: A file of the project.
        lookups: What can be looked up.
        area: What the whole file is, or what begins at a place of it; asked along gsws's own keys only.
    """
    whole: Area = area if isinstance(area, str) else "keys"
    walk = _Walk(Expanded(document), lookups, _keys if isinstance(area, str) else area)
    walk.expanded.data = walk.copy(document.data, (), None, whole)
    return walk.expanded


def _keys(_: Pointer) -> Area:
    return "keys"


def plain(data: JSONValue) -> JSONValue:
    """Copy data with the text of failed look-ups as ordinary text, which engines insist on."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    return str(data) if isinstance(data, Unresolved) else data


class _Failed(Exception):
    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(code, message, help)
        self.code = code
        self.message = message
        self.help = help


class _Walk:
    def __init__(self, expanded: Expanded, lookups: Lookups, area: Callable[[Pointer], Area]) -> None:
        self.expanded = expanded
        self.lookups = lookups
        self.area = area
        self.lines: LineIndex | None = None
        self.made = 0

    def copy(self, value: JSONValue, pointer: Pointer, key: str | None, area: Area) -> JSONValue:
        if isinstance(value, str):
            return self.text(value, pointer, key, area) if "$" in value or "<%" in value else value
        if isinstance(value, dict):
            result = {}
            for name, item in value.items():
                place = (*pointer, name)
                copied = self.copy(item, place, name, self.area(place) if area == "keys" else area)
                if copied is not None or area != "keys":
                    result[name] = copied
                elif not (isinstance(item, str) and _OPTIONAL.fullmatch(item)):
                    self.expanded.dropped.setdefault(pointer, []).append(name)
            return result
        if isinstance(value, list):
            items = (((*pointer, index), item) for index, item in enumerate(value))
            return [self.copy(item, place, None, self.area(place) if area == "keys" else area) for place, item in items]
        return value

    def text(self, text: str, pointer: Pointer, key: str | None, area: Area) -> JSONValue:
        token = _TOKEN if area != "schema" else _TOKEN_IN_PATTERN if key == "pattern" else _TOKEN_IN_SCHEMA
        parts: list[str] = []
        end = size = failures = 0
        for match in token.finditer(text):
            found = match.group()
            parts.append(text[end : match.start()])
            end = match.end()
            if found[0] == "\\" or found == "$$":
                parts.append("$" if found == "$$" else found)
                continue
            self.expanded.dynamic.add(pointer)
            whole = found == text.strip()
            try:
                value = self.value(found)
                if whole:
                    return self.typed(value, pointer)
                parts.append(_inline(value, found, size))
                size += len(parts[-1])
                self.spend(len(parts[-1]))
            except _Failed as failure:
                failures += 1
                self.expanded.failed.add(pointer)
                self.expanded.findings.append(
                    error(
                        failure.code,
                        failure.message,
                        self.place(pointer, found, text[: match.start()].count(found)),
                        "looked up here",
                        failure.help,
                    )
                )
                # What is left of a hostile text is not worth the time.
                if failures >= _MAX_FAILURES:
                    break
        parts.append(text[end:])
        return Unresolved(text) if failures else "".join(parts)

    def spend(self, size: int) -> None:
        self.made += size
        if self.made > _MAX_MADE:
            raise _Failed("GS502", f"the look-ups of this file make more than {_MAX_MADE:,} characters")

    def typed(self, value: JSONValue, pointer: Pointer) -> JSONValue:
        """A value that is nothing but one look-up takes the type of its text, as if it stood in the file."""
        if not isinstance(value, str):
            return value
        self.expanded.texts[pointer] = value
        # Longer than any number or constant; `resolve` would look at every character.
        typed = resolve(value.strip()) if len(value) <= 400 else value
        return value if typed is UNREPRESENTABLE or isinstance(typed, str) else typed

    def value(self, found: str) -> JSONValue:
        if found.startswith("<%"):
            return self.named(found)
        match = _VARIABLE.fullmatch(found[2:-1]) if found.endswith("}") else None
        if match is None or "${" in found[2:]:
            raise _Failed("GS502", f"malformed look-up `{_cut(found)}`", _malformed_help(found))
        name, operator, rest = match.groups()
        value = self.lookups.environ.get(name)
        if value is None or (value == "" and operator):
            if operator == "-":
                return rest
            if operator == "?" and rest.strip():
                raise _Failed("GS501", f"the environment variable `{name}` is not set: {_cut(rest.strip())}")
            raise self.unset(name, f"${{{name}:-default}}")
        self.expanded.looked[name] = value
        return _utf8(value, name)

    def named(self, found: str) -> JSONValue:
        path = found[2:-2].strip() if found.endswith("%>") and len(found) >= 4 else ""
        if not _PATH.fullmatch(path):
            what = "is not closed by `%>`" if not found.endswith("%>") else "is more than a look-up"
            raise _Failed(
                "GS502",
                f"`{_cut(found)}` {what}",
                "write a dotted name such as `<% config.a.b %>`; expressions are never evaluated, compute in a handler",
            )
        root, *rest = path.split(".")
        if root == "process" and len(rest) == 2 and rest[0] == "env":
            value = self.lookups.environ.get(rest[1])
            if value is None:
                raise self.unset(rest[1], f"${{{rest[1]}:-default}}")
            self.expanded.looked[rest[1]] = value
            return _utf8(value, rest[1])
        trees = {"config": self.lookups.config, "mappings": self.lookups.mappings}
        if root not in trees or not rest:
            raise _Failed(
                "GS502",
                f"`{_cut(path)}` cannot be looked up when the project loads",
                "`config.…`, `mappings.…` and `process.env.…` can; what a message carries is known to its handler",
            )
        tree = trees[root]
        if tree is None:
            raise _Failed("GS502", f"`{root}` cannot be looked up in this file", "use an environment variable")
        return _descend(tree, root, rest)

    def unset(self, name: str, example: str) -> _Failed:
        near, help = did_you_mean(name, self.lookups.environ) if len(name) > 3 else (None, None)
        fallback = f"set it, for example in `.env`, or give a default: `{example}`"
        return _Failed("GS501", f"the environment variable `{name}` is not set", help if near else fallback)

    def place(self, pointer: Pointer, found: str, occurrence: int) -> Span:
        """The look-up itself inside its scalar; the scalar if its text is written in another way than it reads."""
        document = self.expanded.document
        span = document.value_span(pointer)
        if self.lines is None:
            self.lines = LineIndex(document.text)
        start = self.lines.offset(span.line, span.column)
        end = self.lines.offset(span.end_line, span.end_column)
        at = start - 1
        for _ in range(min(occurrence, 50) + 1):
            at = document.text.find(found, at + 1, end)
            if at < 0:
                return span
        return self.lines.span(span.path, at, at + len(found))


def _descend(tree: JSONValue, root: str, path: list[str]) -> JSONValue:
    known = root
    for item in path:
        if isinstance(tree, Mapping) and item in tree:
            tree = tree[item]
        elif isinstance(tree, list) and item.isascii() and item.isdigit() and len(item) < 7 and int(item) < len(tree):
            tree = tree[int(item)]
        else:
            _, help = did_you_mean(item, map(str, tree) if isinstance(tree, Mapping) else ())
            raise _Failed("GS501", f"`{known}` has no `{_cut(item)}`", help)
        known = f"{known}.{item}"
    return tree


def _inline(value: JSONValue, found: str, size: int) -> str:
    """A value as part of a text of which ``size`` characters were looked up before."""
    match value:
        case str():
            if size + len(value) > _MAX_TEXT:
                raise _Failed("GS502", f"the look-ups of this value make more than {_MAX_TEXT:,} characters")
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case int() | float():
            return str(value)
    raise _Failed(
        "GS506",
        f"`{_cut(found)}` is a {type_name(value)} and cannot stand inside a text",
        "make the look-up the whole value, or look up a text or a number",
    )


def _utf8(value: str, name: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Failed("GS506", f"the environment variable `{name}` is not UTF-8") from None
    return value


def _malformed_help(found: str) -> str:
    inner = found[2:].removesuffix("}")
    if not found.endswith("}"):
        return "close it with `}`, or write `$$` for a dollar sign"
    if inner.startswith("env.") and _VARIABLE.fullmatch(inner[4:]):
        return f"write `${{{inner[4:]}}}`"
    if inner.startswith(("config.", "mappings.", "process.env.")):
        return f"write `<% {inner} %>`"
    return "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; `$$` is a dollar sign"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"
