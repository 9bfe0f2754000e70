"""Rules about environments: GS504 an open `.env`, GS505 `.env.example`, GS608 development in production."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, Final

from gsws.diagnostics.finding import Finding, warning
from gsws.diagnostics.suggest import nearest
from gsws.project.files.customenv import VARIABLES, variables_of
from gsws.project.files.discovery import file_inside
from gsws.project.reporting.wording import quoted
from gsws.project.rules.gitindex import is_tracked
from gsws.project.rules.scope import Scope
from gsws.text.lines import LineIndex, split_lines
from gsws.text.span import Pointer, Span
from gsws.types import JSONValue
from gsws.yaml.document import Document

__all__ = ["development_in_production", "exposed_dotenv", "incomplete_example"]

_LOOKUP: Final = re.compile(
    r"(?<![$\\])\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<more>:[-?])[^}]*)?\}|process\.env\.(?P<dotted>\w+)"
)
_LINE: Final = re.compile(r"[ \t]*(?P<off>#[ \t]*)?(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
_OF_LIBRARIES: Final = re.compile(
    r"(?:GSWS|GOOGLE|GEMINI|VERTEX|OPENAI|ANTHROPIC|LANG(?:CHAIN|SMITH|GRAPH|FUSE)|AWS|AZURE|OTEL|PYTHON|HTTPS?_|NO_|"
    r"SSL|LOG|TZ|PATH|HOME|HF_|SENTRY|REQUESTS)"
)
"""Variables that libraries read by themselves: that no file of the project names them means nothing."""
_LOCAL: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::|$)", re.IGNORECASE)


def exposed_dotenv(scope: Scope) -> Iterator[Finding]:
    """A `.env` that git tracks, or that every user of the machine can read (GS504)."""
    path = scope.root / ".env"
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    top = Span.top(".env")
    if is_tracked(path):
        yield warning(
            "GS504",
            "git tracks `.env`: whoever has the repository has its secrets",
            top,
            "",
            "`git rm --cached .env`, add `.env` to `.gitignore`, and replace the secrets",
        )
    if os.name != "nt" and stat.S_ISREG(mode) and mode & stat.S_IROTH:
        yield warning("GS504", "every user of this machine can read `.env`", top, "", "`chmod 600 .env`")


def incomplete_example(scope: Scope) -> Iterator[Finding]:
    """Variables that the project needs and `.env.example` lacks, or the other way round (GS505)."""
    path = file_inside(scope.root, ".env.example")
    try:
        text = "" if path is None else path.read_text("utf-8-sig", "replace")
    except OSError:
        return
    if path is None:
        return
    listed: dict[str, tuple[Span, bool]] = {}
    for number, line in enumerate(split_lines(text), 1):
        match = _LINE.match(line)
        if match is not None:
            span = Span(".env.example", number, match.start("name") + 1, number, match.end("name") + 1)
            listed.setdefault(match["name"], (span, match["off"] is None))
    used: dict[str, tuple[Span, bool]] = {}
    for document in scope.files():
        for name, where in scope.of_file("variables", document, _variables).items():
            if name not in used or not where[1]:
                used[name] = where
    for facts in scope.python():
        for name, where in facts.code.variables.items():
            used.setdefault(name, where)
    for document in scope.files("config"):
        if VARIABLES in document.path:
            for name, pointer in variables_of(document).items():
                used.setdefault(name, (document.value_span(pointer), True))
    for name, (span, answered) in used.items():
        if name not in listed and not answered:
            yield warning(
                "GS505",
                f"`.env.example` does not list the variable `{name}`, which is needed here",
                span,
                "needed here",
                f"add `{name}=` to `.env.example`",
            )
    for name, (span, is_on) in listed.items():
        if is_on and name not in used and not _OF_LIBRARIES.match(name):
            near = nearest(name, used)
            yield warning(
                "GS505",
                f"nothing in the project uses the variable `{name}`",
                span,
                "not used",
                f"did you mean `{near[0]}`?" if near else "remove the line",
            )


def development_in_production(scope: Scope) -> Iterator[Finding]:
    """Settings for a developer's machine, when the environment is `production` (GS608)."""
    if scope.env != "production":
        return
    settings = next(iter(scope.files("")), None)
    if settings is not None and scope.settings.log.level == "debug":
        yield warning(
            "GS608",
            "the log level is `debug` in production: every client that leaves or fails to connect writes a line",
            settings.value_span(("log", "level")),
            "for development",
            "write `level: info`, or `level: ${LOG_LEVEL:-info}`",
        )
    for source in scope.checked.values():
        document = source.expanded.document
        origins = source.config.get("origins")
        for index, origin in enumerate(origins if isinstance(origins, list) else ()):
            if isinstance(origin, str) and _LOCAL.match(origin):
                yield warning(
                    "GS608",
                    f"pages from {quoted(origin)} may connect in production",
                    document.value_span(("origins", index)),
                    "for development",
                    "leave it out: in development every localhost origin may connect anyway",
                )
        yield from _default_secret(document, source.written)


def _default_secret(document: Document, written: Any) -> Iterator[Finding]:
    """A secret that falls back to a text everybody can read."""
    authn = written.get("authn") if isinstance(written, dict) else None
    jwt = authn.get("jwt") if isinstance(authn, dict) else None
    if not isinstance(jwt, dict) or "secret" not in jwt or not isinstance(document.data, dict):
        return
    try:
        raw = document.data["authn"]["jwt"]["secret"]
    except (KeyError, TypeError):
        return
    if isinstance(raw, str) and re.search(r"\$\{\w+:-[^}]+\}", raw):
        yield warning(
            "GS608",
            "without its variable the secret is a text that stands in the file",
            document.value_span(("authn", "jwt", "secret")),
            "has a default",
            "leave the default out, so that production does not start without a secret",
        )


def _variables(document: Document) -> dict[str, tuple[Span, bool]]:
    """The variables that the values of a file look up, and whether each has an answer for its absence."""
    if "${" not in document.text and "process.env" not in document.text:
        return {}
    found: dict[str, tuple[Span, bool]] = {}
    lines = LineIndex(document.text)
    for pointer, text in _texts(document.data, ()):
        for match in _LOOKUP.finditer(text):
            answered = match["more"] == ":-"
            name = match["name"] or match["dotted"]
            if name not in found or (found[name][1] and not answered):
                span = document.value_span(pointer)
                start = lines.offset(span.line, span.column)
                at = document.text.find(match[0], start, lines.offset(span.end_line, span.end_column))
                if at >= 0:
                    at += match.start("name" if match["name"] else "dotted") - match.start()
                    span = lines.span(document.path, at, at + len(name))
                found[name] = (span, answered)
    return found


def _texts(value: JSONValue, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    """The texts among the values of a file that may look something up; keys are taken as written."""
    if isinstance(value, str):
        if "${" in value or "process.env" in value:
            yield pointer, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*pointer, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*pointer, index))
