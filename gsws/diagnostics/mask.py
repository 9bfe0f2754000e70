"""
What no output may show: values that were looked up from the environment or read from ``.env``.

A `Mask` is fed with names and values, and hides the values wherever they turn up in a text: whole, cut short, in
another case, or escaped for JSON, for Python or for an address. Two are in use: each project hides every value that it
looks up from its findings; `PROCESS` hides from logs and errors what looks like a secret or is named like one, so that
a log still tells a port or a host.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Final
from urllib.parse import quote, quote_plus

from gsws.diagnostics.finding import Finding, Label

__all__ = ["PROCESS", "Mask", "hide", "names_a_secret"]

_SHORTEST: Final = 4
"""What is shorter is no secret, and stands in every other sentence."""

_SEED: Final = 8
"""So many first characters give a secret away, and are looked for."""

_LONGEST: Final = 4096
_NAME: Final = re.compile(
    r"secret|token|passw|passphrase|credential|private|signing|webhook|(?:^|[_-])(?:pwd|pass|pw|pin|key|dsn|salt)(?:[_-]|$)"
    r"|(?:api|access)_?key",
    re.IGNORECASE,
)
_PIECES: Final = re.compile(r"[^\s:/?#&=@,;\"'<>()\[\]{}|]+")
_USER: Final = re.compile(r"://([^\s/@]+)@")
_RUN: Final = re.compile(r"[A-Za-z0-9_+~]+")
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,30}")
_PLAIN: Final = frozenset(
    {
        "true", "false", "null", "none", "yes", "text", "name", "string", "object", "integer", "number", "boolean",
        "array", "list", "mapping", "debug", "info", "warning", "error", "critical", "development", "production",
        "staging", "test", "testing", "local", "localhost", "console", "json", "memory", "websocket", "gsws",
        "stream", "default", "enqueue", "parallel", "reject", "interrupt", "cancel", "continue", "payload", "schema",
    }
)  # fmt: skip
"""Words of our own sentences: as the value of a variable they tell nothing."""


@dataclass(frozen=True, slots=True)
class _Secret:
    """One thing to hide: its text in lower case, what stands for it, and whether a beginning gives it away."""

    text: str
    shown: str
    partial: bool

    def bounded(self, text: str, start: int, end: int) -> bool:
        """Whether a whole occurrence is one: a number or a short word is not looked for inside others."""
        before, after = text[start - 1 : start], text[end : end + 1]
        if self.text.lstrip("-+").isdigit():
            return not (before.isdigit() or after.isdigit())
        if len(self.text) < _SEED:
            return not (before.isalnum() or after.isalnum())
        return True


class Mask:
    """
    Values that are to be hidden.

    Args:
        every: Hide every value that is long enough to be one; else what is named or looks like a secret.
    """

    def __init__(self, *, every: bool) -> None:
        self._every = every
        self._known: set[tuple[str, str]] = set()
        self._secrets: dict[str, _Secret] = {}
        self._seeds: dict[str, list[_Secret]] = {}

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def learn(self, values: Mapping[str, str]) -> None:
        """Hide these values from now on; the keys are the names of their variables."""
        for name, value in values.items():
            if (name, value) in self._known or not isinstance(value, str):
                continue
            self._known.add((name, value))
            for secret in _secrets(name, value[: 16 * _LONGEST], every=self._every):
                if secret.text not in self._secrets:
                    self._secrets[secret.text] = secret
                    self._seeds.setdefault(secret.text[:_SEED], []).append(secret)

    def hide(self, text: str) -> str:
        """The text with ``${NAME}`` in place of a value, and ``***`` in place of a part of one."""
        found = self._found(text)
        if not found:
            return text
        parts, at = [], 0
        for start, end, shown in found:
            parts += [text[at:start], shown]
            at = end
        return "".join([*parts, text[at:]])

    def cover(self, text: str) -> str:
        """The text with ``*`` in place of every character of a value, line breaks apart."""
        parts, at = [], 0
        for start, end, _ in self._found(text):
            parts += [text[at:start], re.sub(r"[^\r\n]", "*", text[start:end])]
            at = end
        return "".join([*parts, text[at:]]) if parts else text

    def finding(self, finding: Finding) -> Finding:
        """The finding without a value in any of its sentences; a repair that would write one down is left out."""
        if not self._secrets:
            return finding
        fix = finding.fix
        if fix is not None and any(self._found(edit.replacement) for edit in fix.edits):
            fix = None
        elif fix is not None:
            fix = changed(fix, title=self.hide(fix.title))
        return changed(
            finding,
            message=self.hide(finding.message),
            label=self.hide(finding.label),
            help=None if finding.help is None else self.hide(finding.help),
            related=tuple(Label(label.span, self.hide(label.text)) for label in finding.related),
            fix=fix,
        )

    def findings(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """All of them, each as `finding` makes it."""
        return tuple(map(self.finding, findings)) if self._secrets else tuple(findings)

    def _found(self, text: str) -> list[tuple[int, int, str]]:
        """Where values stand, in order and apart from one another."""
        if not self._seeds:
            return []
        low = text.lower()
        if len(low) != len(text):
            low = "".join(character.lower()[:1] for character in text)
        hits: list[tuple[int, int, str]] = []
        for seed, secrets in self._seeds.items():
            start = low.find(seed)
            while start >= 0:
                best = max((_reach(secret, low, start) for secret in secrets), default=None)
                if best is not None and best[0] > start:
                    hits.append((start, *best))
                    start = best[0] - 1
                start = low.find(seed, start + 1)
        hits.sort(key=lambda hit: (hit[0], -hit[1]))
        merged: list[tuple[int, int, str]] = []
        for start, end, shown in hits:
            if merged and start < merged[-1][1]:
                if end > merged[-1][1]:
                    merged[-1] = (merged[-1][0], end, "***")
            else:
                merged.append((start, end, shown))
        return merged


def _reach(secret: _Secret, low: str, start: int) -> tuple[int, str]:
    """How far a secret reaches from a place where it begins, and what stands for that; the place itself if not."""
    wanted = secret.text
    if low.startswith(wanted, start):
        end = start + len(wanted)
        return (end, secret.shown) if secret.bounded(low, start, end) else (start, "")
    end = start + _SEED
    while end < len(low) and end - start < len(wanted) and low[end] == wanted[end - start]:
        end += 1
    # Long texts are cut when they are quoted.
    if secret.partial or low.startswith(("…", "..."), end):
        return end, "***"
    return start, ""


def names_a_secret(name: str) -> bool:
    """Whether a variable is called like a secret: ``API_TOKEN``, ``DB_PASSWORD``, ``SIGNING_KEY``."""
    # The working directory stands in every traceback.
    return _NAME.search(name) is not None and name not in ("PWD", "OLDPWD")


def _secrets(name: str, value: str, *, every: bool) -> Iterator[_Secret]:
    named = names_a_secret(name)
    shown = f"${{{name}}}"
    whole = named or every or _looks_secret(value)
    texts = [value] if whole and "\n" not in value.strip() else value.splitlines() if whole else []
    for text in dict.fromkeys([*texts, *([value] if whole else [])]):
        if _hideable(text, named):
            yield from _forms(text, shown, partial=named or _looks_secret(text))
    user = _USER.search(value)
    credentials = user[1].split(":", 1) if user is not None else []
    for piece in dict.fromkeys([*credentials[1:], *_PIECES.findall(value)]):
        if piece == value or len(piece) < 6:
            if piece in credentials[1:] and len(piece) >= _SHORTEST:
                yield from _forms(piece, "***", partial=False)
            continue
        if (
            _looks_secret(piece)
            or piece in credentials
            or (named and "://" not in value and piece.lower() not in _PLAIN)
        ):
            yield from _forms(piece, "***", partial=_looks_secret(piece))


def _hideable(text: str, named: bool) -> bool:
    return len(text.strip()) >= _SHORTEST and (named or text.strip().lower() not in _PLAIN)


def _looks_secret(value: str) -> bool:
    """A run of letters and digits as generators make them, or a number that is no port; not a host, a model, a path."""
    if _NUMBER.fullmatch(value):
        return len(value.lstrip("-+")) >= 6
    return any(
        len(run) >= 24 or (len(run) >= 10 and any(map(str.isdigit, run)) and any(map(str.isalpha, run)))
        for run in _RUN.findall(value)
    )


def _forms(text: str, shown: str, *, partial: bool) -> Iterator[_Secret]:
    """A value as it may stand in an output."""
    text = text.strip()[:_LONGEST]
    raw = text.encode("utf-8", "replace")
    forms = [
        text,
        " ".join(text.split()),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        quote(text, safe="", errors="replace"),
        quote(text, errors="replace"),
        quote_plus(text, errors="replace"),
        # What becomes of a name on its way into a help: other letters are replaced, dots are folders and the reverse.
        re.sub(r"[^A-Za-z0-9_.]+", "_", text).strip("_."),
        re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_"),
        text.replace(".", "/"),
        text.strip("./").removeprefix("functions/").removesuffix(".py").replace("/", "."),
        text.replace(":", "."),
    ]
    if len(raw) >= _SEED:
        forms += [base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")]
    if _NUMBER.fullmatch(text):
        forms += [str(int(text)), f"{int(text):,}", str(float(text))]
    for form in dict.fromkeys(form.lower() for form in forms):
        if len(form) >= _SHORTEST:
            yield _Secret(form, shown, partial and len(form) > _SEED and not form.isdigit())


PROCESS: Final = Mask(every=False)
"""Of this process: everything that any of its projects looked up, or that the environment names as a secret."""


def hide(text: str) -> str:
    """A text for a log or an error, without a secret of this process."""
    return PROCESS.hide(text)
