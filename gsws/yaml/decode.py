"""
From bytes to a text that the YAML parser may be given.

Size, encoding, control characters, and the spare characters that keep libyaml from misreading.
"""

from __future__ import annotations

import re
from typing import Final

from gsws.diagnostics.finding import Finding, error, replace
from gsws.text.lines import LineIndex, split_lines
from gsws.text.span import Span

__all__ = ["MAX_BYTES", "decode", "forbidden", "guard", "unguard"]

MAX_BYTES: Final = 1_000_000
"""Largest file that is read."""

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG_LINE: Final = re.compile(r"^%TAG", re.MULTILINE)
_NO_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
_REFERENCE: Final = re.compile(r"\$\{[^{}\n\r\"']*\}")
_INSIDE_PLAIN: Final = re.compile(
    r"""(?<![^\s,\[\]{}])!\S*                         # a tag, left alone
    | (?<=[^\s,\[\]{}"']) : (?=[^\s,\[\]{}])         # https://
    | (?: (?<=[:,]\ ) | (?<=[,\[{]) ) : (?=[^\s,\[\]{}])    # ::1
    | (?<=[^\s,\[\]{}"']) \?
    | \? (?=[^\s,\[\]{}])
    """,
    re.VERBOSE,
)
_PAIR: Final = re.compile(r"((?<!\\)(?:\\\\)*)(\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2}))")
_PADDING: Final = "\U0010f83e\U0010f83f"
"""The two characters by which a surrogate pair is longer than the one escape that stands for it."""

_PADDED: Final = re.compile(rf"\\U[0-9A-F]{{8}}{_PADDING}")
_GUARDED: Final = "\x85\u2028\u2029{},:?[]"
_SPARE: Final = "".join(chr(0x10F800 + number) for number in range(len(_GUARDED)))
_GUARD: Final = str.maketrans(_GUARDED, _SPARE)
_UNGUARD: Final = str.maketrans(_SPARE, _GUARDED)


def decode(path: str, raw: bytes) -> tuple[str, Finding | None]:
    """
    Decode a file; the text is without a byte-order mark and, if undecodable, has U+FFFD for what is wrong.

    Returns:
        The text, and what is wrong; a finding with a repair does not keep the text from being used.
    """
    start = Span.top(path)
    if len(raw) > MAX_BYTES:
        message = f"the file has {len(raw):,} bytes, {MAX_BYTES:,} are allowed"
        return "", error("GS003", message, start, help="split the file")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:2]:
        message = "not UTF-8 at byte 0: the file looks like UTF-16 or UTF-32"
        return raw.decode("utf-8", "replace"), error("GS004", message, start, help="save the file as UTF-8")
    skipped = len(_UTF8_MARK) if raw.startswith(_UTF8_MARK) else 0
    body = raw[skipped:]
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as failure:
        at = len(body[: failure.start].decode("utf-8"))
        text = body.decode("utf-8", "replace")
        message = f"not UTF-8 at byte {failure.start + skipped}"
        span = LineIndex(text).span(path, at, at + 1)
        label = f"byte 0x{body[failure.start]:02X}"
        return text, error("GS004", message, span, label, "save the file as UTF-8")
    if not skipped:
        return text, None
    message = "the file starts with a byte-order mark"
    help = "save the file as UTF-8 without a byte-order mark"
    return text, error("GS004", message, start, help=help, fix=replace(start, ""))


def forbidden(path: str, lines: LineIndex) -> Finding | None:
    """What no text may have: a control character or a ``%TAG`` line."""
    match = _CONTROL.search(lines.text)
    if match is None:
        return _tag_directive(path, lines)
    code = ord(match.group())
    name = "a NUL byte" if code == 0 else f"the control character U+{code:04X}"
    return error(
        "GS101",
        f"{name} is not allowed in YAML",
        lines.span(path, match.start(), match.end()),
        "here",
        "remove it, or write it as an escape in double quotes",
    )


def guard(text: str) -> str:
    """
    The text as the parser gets it: of the same length, with spare characters for what libyaml would misread.

    libyaml breaks lines at U+0085, U+2028 and U+2029, which YAML 1.2 does not; inside ``[…]`` and ``{…}`` it ends a
    plain text at every ``:`` and ``?``, so that ``[https://a.b]`` is an error, which in YAML 1.2 it is not; and
    there the braces of ``${NAME}`` open a mapping. It refuses the two escapes by which JSON writes a character beyond
    U+FFFF, a surrogate pair; they become the one that YAML has for it. `unguard` turns every scalar back. A text
    without any of that, or one that has the spare characters itself, is returned as it is (the same object).
    """
    guarded = _PAIR.sub(_one_escape, text) if "\\u" in text else text
    if "[" in text or "{" in text:
        if "${" in text:
            guarded = _REFERENCE.sub(lambda match: "$" + match.group()[1:].translate(_GUARD), guarded)
        guarded = _INSIDE_PLAIN.sub(_guard_one, guarded)
    if not text.isascii():
        guarded = _NO_BREAKS.sub(lambda match: match.group().translate(_GUARD), guarded)
    if guarded == text or any(spare in text for spare in _SPARE + _PADDING) or "\\U0010" in text:
        return text
    return guarded


def unguard(text: str, written: str) -> str:
    """
    The inverse of `guard`, for one scalar.

    Args:
        text: Its value by the parser.
        written: How it is written where no escape is one, so that pairs are letters; empty in double quotes.
    """
    if _PADDING in text:
        pairs = iter([match[2] for match in _PAIR.finditer(written)])
        text = _PADDED.sub(lambda match: next(pairs, match.group()), text) if written else text.replace(_PADDING, "")
    return text.translate(_UNGUARD)


def _one_escape(match: re.Match[str]) -> str:
    code = 0x10000 + ((int(match[3], 16) - 0xD800) << 10) + int(match[4], 16) - 0xDC00
    return f"{match[1]}\\U{code:08X}{_PADDING}"


def _guard_one(match: re.Match[str]) -> str:
    found = match.group()
    return found if found[0] == "!" else found.translate(_GUARD)


def _tag_directive(path: str, lines: LineIndex) -> Finding | None:
    """``%TAG`` serves custom tags only, and thousands of them keep the parser busy for minutes."""
    match = _TAG_LINE.search(lines.text)
    if match is None or any(
        line.strip() and not line.startswith(("%", "#")) for line in split_lines(lines.text[: match.start()])
    ):
        return None
    span = lines.span(path, match.start(), match.end())
    return error("GS108", "`%TAG` is not allowed", span, "this directive", "remove the line")
