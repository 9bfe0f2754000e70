"""
GS503: keys and passwords written into files, found by their shape or by the name of what they are given to.

A finding never quotes a secret; `Masked` hides them from excerpts and messages as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace as changed
from typing import Any, Final

from gsws.diagnostics.finding import Finding, Label, error
from gsws.diagnostics.mask import PROCESS
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer, Span
from gsws.text.urls import covered, without_secrets
from gsws.yaml.document import Document

__all__ = [
    "Masked",
    "has_shape",
    "is_secret",
    "may_name_a_secret",
    "secret_finding",
    "secrets_by_shape",
    "secrets_in_document",
]

_SHAPES: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?P<google>AIza[A-Za-z0-9_-]{20,})"
    r"|(?P<api>sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,})"
    r"|(?P<stripe>[sr]k_(?:live|test)_[A-Za-z0-9]{10,})"
    r"|(?P<aws>(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])"
    r"|(?P<github>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"
    r"|(?P<gitlab>glpat-[A-Za-z0-9_-]{16,})"
    r"|(?P<slack>xox[abeoprs]-[A-Za-z0-9-]{10,})"
    r"|(?P<hugging>hf_[A-Za-z0-9]{30,})"
    r")"
    r"|(?P<private>-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----)"
    r"|[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'${<]{0,100}:(?P<url>[^\s@/\"'${<]{1,200})@(?!localhost|127\.0\.0\.1)"
)
_HINT: Final = re.compile(r"AIza|sk-|[sr]k_|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|hf_|PRIVATE KEY|://[^\s/]*:")
_WORDS: Final = {
    "google": "a Google API key",
    "api": "an API key",
    "stripe": "a Stripe key",
    "aws": "an AWS access key",
    "github": "a GitHub token",
    "gitlab": "a GitLab token",
    "slack": "a Slack token",
    "hugging": "a Hugging Face token",
    "private": "a private key",
    "url": "a password in a URL",
}
_NAME: Final = re.compile(
    r"(?:^|[_-])(?P<plain>secret|password|passwd|passphrase|pwd)$"
    r"|(?:^|[_-])(?P<random>token|api[_-]?key|apikey|(?:access|secret|private|signing|encryption)[_-]?key|credentials?)$"
)
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_[A-Z]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_NAME_HINT: Final = re.compile(rb"(?i)secret|passw|passphrase|pwd|token|key|credential")
_SAMPLES: Final = frozenset({"example", "examples", "default", "enum", "const", "description", "summary", "title"})
_NO_SECRETS: Final = frozenset(
    {"", "secret", "password", "token", "apikey", "none", "null", "string", "text", "required", "hidden", "optional"}
)
_HELP: Final = "take it from the environment, and replace the secret itself: who has read the file has it"


def secrets_by_shape(path: str, text: str, *, python: bool = False) -> Iterator[Finding]:
    """What looks like a key of a known kind, anywhere in a text, comments included."""
    if _HINT.search(text) is None:
        return
    lines = LineIndex(text)
    for match in _SHAPES.finditer(text):
        kind = match.lastgroup or "api"
        start, end = match.span(kind)
        if kind == "private":
            closed = _PEM_END.search(text, end)
            end = closed.end() if closed is not None else end
        yield secret_finding(_WORDS[kind], lines.span(path, start, end), python=python)


def secrets_in_document(document: Document, *, by_name: bool) -> Iterator[Finding]:
    """
    Secrets of a YAML file.

    Args:
        document: As written, before look-ups.
        by_name: Whether text under a key such as ``password`` is one; not so where payloads are described.
    """
    yield from secrets_by_shape(document.path, document.text)
    if by_name and may_name_a_secret(document.text.encode()):
        for pointer in _named(document.data, ()):
            span = document.value_span(pointer)
            yield secret_finding(f"the value of `{pointer[-1]}`", span, name=str(pointer[-1]))


class Masked:
    """
    Texts and findings with the secrets of a project hidden; in a text a character stays a character.

    Args:
        findings: All of the project; the GS503 among them say where secrets are.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._spans: dict[str, list[Span]] = {}
        for finding in findings:
            if finding.code == "GS503" and finding.span is not None:
                self._spans.setdefault(finding.span.path, []).append(finding.span)

    def shown(self, text_of: Callable[[str], str | None], path: str) -> str | None:
        """A file's text for people to look at."""
        text = text_of(path)
        if text is None:
            return None
        spans = self._spans.get(path, ())
        lines = LineIndex(text)
        for span in spans:
            start, end = lines.offset(span.line, span.column), lines.offset(span.end_line, span.end_column)
            text = text[:start] + re.sub(r"[^\r\n\"']", "*", text[start:end]) + text[end:]
        return PROCESS.cover(covered(text))

    def applied(self, findings: list[Finding], text_of: Callable[[str], str | None]) -> list[Finding]:
        """The findings, without a secret in a sentence of any."""
        values = self._values(text_of)
        return [_without(finding, values) for finding in findings]

    def _values(self, text_of: Callable[[str], str | None]) -> frozenset[str]:
        """The secrets themselves, without quotes; short ones would hide half of a sentence."""
        found = set()
        for path, spans in self._spans.items():
            lines = LineIndex(text_of(path) or "")
            for span in spans:
                start, end = lines.offset(span.line, span.column), lines.offset(span.end_line, span.end_column)
                value = lines.text[start:end].strip("\"'")
                if len(value) >= 6:
                    found.add(value)
        return frozenset(found)


def _without(finding: Finding, values: frozenset[str]) -> Finding:
    def hide(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
            # Long values are cut when they are quoted.
            text = text.replace(value[:20], "***") if len(value) > 20 else text
        return without_secrets(text)

    return changed(
        finding,
        message=hide(finding.message),
        label=hide(finding.label),
        help=None if finding.help is None else hide(finding.help),
        related=tuple(Label(label.span, hide(label.text)) for label in finding.related),
    )


def secret_finding(what: str, span: Span, *, name: str | None = None, python: bool = False) -> Finding:
    """GS503 for what stands at a place, with the form that takes it from the environment."""
    variable = re.sub(r"[^A-Z0-9]+", "_", _CAMEL.sub("_", name or "").upper()).strip("_") or "NAME"
    if not python:
        help = f"write `${{{variable}}}` and put the value into `.env`; then replace the secret itself"
    elif name is not None:
        help = f'write `os.environ["{variable}"]`; then replace the secret itself'
    else:
        help = _HELP
    return error("GS503", f"{what} is written into the file, where everybody who has the code can read it", span,
                 "a secret", help)  # fmt: skip


def _named(value: Any, pointer: Pointer) -> Iterator[Pointer]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str):
                if "${" not in inner and "<%" not in inner and is_secret(key, inner, strict=False):
                    yield (*pointer, key)
            elif key not in _SAMPLES:
                yield from _named(inner, (*pointer, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _named(inner, (*pointer, index))


def has_shape(text: str) -> bool:
    """Whether a key of a known kind stands in a text."""
    return _SHAPES.search(text) is not None


def may_name_a_secret(raw: bytes) -> bool:
    """Whether a file has any word by which secrets are called."""
    return _NAME_HINT.search(raw) is not None


def is_secret(name: str, value: str, *, strict: bool) -> bool:
    """
    Whether a text is a secret by the name that it has.

    Args:
        name: A key, a variable or a parameter.
        value: The text.
        strict: In code a text under such a name is often a name itself: of a header, a field, a variable.
    """
    named = _NAME.search(_CAMEL.sub("_", name).lower())
    if named is None or len(value) < 4 or any(character.isspace() for character in value.strip()):
        return False
    if has_shape(value) or value.startswith(("<", "{")) or "://" in value or "/" in value[:1]:
        return False
    if re.sub(r"[^a-z]", "", value.lower()) in _NO_SECRETS and strict:
        return False
    if _VARIABLE.fullmatch(value):
        return False  # `password: DB_PASSWORD` names a variable
    if named["plain"] is not None:
        # `SECRET = "JWT_SECRET"` names a variable, `password="user_password"` a field.
        return not strict or not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[a-z]+([_.][a-z]+)+", value)
    has_digit = any(character.isdigit() for character in value)
    if not strict:
        return has_digit or len(value) >= 12
    return has_digit and len(value) >= 10 and not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", value)
