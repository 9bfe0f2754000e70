r"""
Regular expressions of ECMA-262 with the `u` flag, as JSON Schema means them, in the words of the engine.

The engine has a dialect of its own: ``\<`` begins a word there, ``\b`` is Unicode's, ``[a&&b]`` an intersection. Each
pattern is read by ECMA's grammar and written anew in what both mean alike; what the grammar lacks is refused here, not
taken for something else. What runs, and how long it may, is `gsws.schema.engine`'s matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gsws.schema.ecmaclass import LAST, NEVER, SYNTAX, class_of, complement, gather, literal, scalars, stretch
from gsws.schema.ecmatables import BINARY, CATEGORIES, DIGIT, FOREIGN, SPACE, SURROGATES, WORD, Ranges, foreign_group

__all__ = ["Refused", "Translation", "translate"]

_MAX_LENGTH: Final = 100_000
_MAX_DEPTH: Final = 100
_BRACES: Final = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_ELSEWHERE_BRACES: Final = re.compile(r"\{,[0-9]+\}")
_POSIX: Final = re.compile(r"\[\^?\[[:.=]\w+[:.=]\]")
_PROPERTY: Final = re.compile(r"\{(?:(General_Category|gc|Script|sc|Script_Extensions|scx)=)?([A-Za-z0-9_]+)\}")
_SCRIPT: Final = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)?(?:_[A-Z][a-z]+)*")
_NAME: Final = re.compile(r"<([^>]*)>")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_CONTROLS: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_LINE_ENDS: Final[Ranges] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_BOUNDARY: Final = r"(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))"
_NO_BOUNDARY: Final = r"(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))"


@dataclass(frozen=True, slots=True)
class Translation:
    """
    A pattern as the engine gets it.

    Attributes:
        linear: For the engine whose time grows with the text only; None if it cannot run this.
        plain: Whether ``linear`` is ECMA-262 as well: the meta-schemas of drafts 4 to 7 insist on that.
        bounded: For the engine that goes back and forth.
        doubts: What the `u` flag forbids, but means the same in every dialect.
    """

    linear: str | None
    plain: bool
    bounded: str
    doubts: tuple[str, ...]


class Refused(Exception):
    """
    A pattern that is none of ECMA-262.

    Attributes:
        reason: What is wrong, as a sentence without a subject.
        help: What to write instead, if it is known.
    """

    def __init__(self, reason: str, help: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help


@lru_cache(maxsize=4096)
def translate(pattern: str) -> Translation | Refused:
    """Read a pattern by ECMA-262 (ES2024) with the ``u`` flag and without others."""
    if len(pattern) > _MAX_LENGTH:
        return Refused(f"is longer than {_MAX_LENGTH:,} characters")
    try:
        return _Reader(pattern).translation()
    except Refused as refused:
        return refused


class _Reader:
    """Reads once from left to right. ``known`` is the set of groups that have matched wherever a term is reached."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.behind = 0
        self.groups = 0
        self.opened = 0
        self.names: dict[str, int] = {}
        self.doubts: dict[str, None] = {}
        self.fancy = False
        self.refers = False
        self._count()

    def translation(self) -> Translation:
        bounded, _ = self.choice(frozenset())
        if self.at < len(self.text):
            raise Refused("has a `)` without a `(`", r"a literal `)` is written `\)`")
        linear = None if self.fancy else bounded.replace(_NO_BOUNDARY, r"(?-u:\B)").replace(_BOUNDARY, r"(?-u:\b)")
        return Translation(linear, "(?-u:" not in (linear or ""), bounded, tuple(self.doubts))

    def choice(self, known: frozenset[int]) -> tuple[str, frozenset[int]]:
        """A disjunction; what is known after it is known after each of its alternatives."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Refused(f"nests more than {_MAX_DEPTH} levels")
        branches: list[str] = []
        after: frozenset[int] | None = None
        while True:
            out, ends = self.sequence(known)
            branches.append(out)
            after = ends if after is None else after & ends
            if not self.take("|"):
                break
        self.depth -= 1
        return "|".join(branches), after

    def sequence(self, known: frozenset[int]) -> tuple[str, frozenset[int]]:
        out: list[str] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            term, ends, repeatable = self.term(known)
            least, mark = self.quantifier()
            if mark and not repeatable:
                raise Refused("repeats what takes no text, such as `^` or a look-around")
            # The engine takes no repetition of what is empty.
            out.append(term + mark if term not in ("", "()") else term)
            known = known if least == 0 else ends
        return "".join(out), known

    def term(self, known: frozenset[int]) -> tuple[str, frozenset[int], bool]:
        """An atom or an assertion, what is known after it, and whether it may be repeated."""
        character = self.text[self.at]
        self.at += 1
        match character:
            case "^" | "$":
                return character, known, False
            case ".":
                return class_of(complement(_LINE_ENDS)), known, True
            case "(":
                return self.group(known)
            case "[":
                return self.set(), known, True
            case "\\":
                return self.escape(known)
            case "*" | "+" | "?":
                help = "possessive repetitions are another dialect's" if character == "+" else None
                raise Refused(
                    f"has a `{character}` with nothing to repeat", help or rf"a literal one is `\{character}`"
                )
            case "{" if _BRACES.match(self.text, self.at - 1):
                raise Refused("has a `{` with nothing to repeat", r"a literal `{` is written `\{`")
            case "{" if _ELSEWHERE_BRACES.match(self.text, self.at - 1):
                raise Refused("has `{,n}`, which other dialects repeat and ECMA-262 does not", "write `{0,n}`")
            case "{" | "}" | "]":
                self.doubt(rf"a literal `{character}` is written `\{character}`")
        return literal(ord(character)), known, True

    def quantifier(self) -> tuple[int, str]:
        """The least count of a quantifier, and the quantifier as the engine reads it; 1 and nothing without one."""
        start = self.text[self.at : self.at + 1]
        least, mark = 1, ""
        if start in ("*", "+", "?") and start:
            self.at += 1
            least, mark = int(start == "+"), start
        elif start == "{":
            braces = _BRACES.match(self.text, self.at)
            if braces is not None:
                low, comma, high = braces.groups()
                if len(low) > 9 or len(high or "") > 9:
                    raise Refused("repeats more often than is possible here")
                if high and int(low) > int(high):
                    raise Refused(f"repeats from {low} to {high} times, which is backwards")
                self.at = braces.end()
                least = int(low)
                mark = f"{{{least}{',' if comma else ''}{int(high) if high else ''}}}"
        if mark and self.take("?"):
            mark += "?"
        return least, mark

    def group(self, known: frozenset[int]) -> tuple[str, frozenset[int], bool]:
        head, ahead = "(?:", self.text[self.at : self.at + 3]
        number = 0
        if ahead.startswith(("?=", "?!")) or ahead in ("?<=", "?<!"):
            behind = ahead.startswith("?<")
            sign = ahead[: 3 if behind else 2]
            self.at += len(sign)
            self.fancy = True
            self.behind += behind
            inner, ends = self.choice(known)
            self.behind -= behind
            self.close()
            return f"({sign}{inner})", known if behind or sign.endswith("!") else ends, False
        if ahead.startswith("?:"):
            self.at += 2
        elif ahead.startswith("?<"):
            name = _NAME.match(self.text, self.at + 1)
            if name is None:
                raise Refused("has a group name without `>`")
            self.at = name.end()
            number = self.open()
        elif ahead.startswith("?"):
            raise Refused(*foreign_group(self.text[self.at :]))
        else:
            number = self.open()
        if number and self.refers:
            head = "("
        inner, ends = self.choice(known)
        self.close()
        after = ends | {number} if number else ends
        if head == "(?:" and not inner.strip("|"):
            return "", after, True
        return f"{head}{inner})", after, True

    def open(self) -> int:
        self.opened += 1
        return self.opened

    def close(self) -> None:
        if not self.take(")"):
            raise Refused("has a `(` without a `)`", r"a literal `(` is written `\(`")

    def escape(self, known: frozenset[int]) -> tuple[str, frozenset[int], bool]:
        following = self.text[self.at : self.at + 1]
        if following in ("b", "B") and following:
            self.at += 1
            return (_BOUNDARY if following == "b" else _NO_BOUNDARY), known, False
        if following == "k":
            name = _NAME.match(self.text, self.at + 1)
            if name is None or name[1] not in self.names:
                raise Refused(r"refers by `\k` to a group that is not there", r"write `\k<name>` after `(?<name>…)`")
            self.at = name.end()
            return self.reference(self.names[name[1]], known), known, True
        if following and following in "123456789":
            digits = re.compile("[0-9]+").match(self.text, self.at)
            assert digits is not None
            if len(digits[0]) > 6 or int(digits[0]) > self.groups:
                raise Refused(rf"refers to group `\{digits[0][:6]}`, which is not there")
            self.at = digits.end()
            return self.reference(int(digits[0]), known), known, True
        found = self.class_escape()
        if found is not None:
            return (found if isinstance(found, str) else class_of(found)), known, True
        return literal(self.character(inside=False)), known, True

    def reference(self, number: int, known: frozenset[int]) -> str:
        if self.behind:
            raise Refused("refers to a group inside of a look-behind")
        if number in known:
            self.fancy = True
            return rf"(?:\{number})"
        if self.ends[self.starts[number - 1]] < self.at:
            raise Refused(
                "refers to a group that may not have matched", "put the group where every match goes through it"
            )
        return ""  # a group that has not ended has matched nothing, and that is what is found

    def set(self) -> str:
        """A class in brackets."""
        if _POSIX.match(self.text, self.at - 1):
            raise Refused("has a class of POSIX, such as `[[:alpha:]]`", r"write `\p{L}`, `\d` or the characters")
        negated = self.take("^")
        ranges: list[tuple[int, int]] = []
        others: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise Refused("has a `[` without a `]`", r"a literal `[` is written `\[`")
            if self.take("]"):
                break
            first = self.member()
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                before = self.at
                self.at += 1
                last = self.member()
                if isinstance(first, int) and isinstance(last, int):
                    if first > last:
                        raise Refused(f"has a range that is backwards: `{self.text[before - 1 : self.at][:20]}`")
                    ranges.append((first, last))
                    continue
                self.doubt(r"a literal `-` beside a class is written `\-`")
                ranges.append((ord("-"), ord("-")))
                gather(last, ranges, others)
            gather(first, ranges, others)
        kept = [part for part in (scalars(one) for one in ranges) if part is not None]
        if not kept and not others:
            return class_of(((0, LAST),)) if negated else NEVER
        return f"[{'^' if negated else ''}{''.join(stretch(one) for one in kept)}{''.join(others)}]"

    def member(self) -> int | str | Ranges:
        character = self.text[self.at : self.at + 1]
        self.at += 1
        if character != "\\":
            return ord(character)
        found = self.class_escape()
        if found is not None:
            return found
        if self.take("b"):
            return 8
        return self.character(inside=True)

    def class_escape(self) -> str | Ranges | None:
        r"""``\d`` and the like after the backslash, as ranges or as a property of the engine; None if it is none."""
        character = self.text[self.at : self.at + 1]
        ranges = {"d": DIGIT, "w": WORD, "s": SPACE}.get(character.lower())
        if ranges is not None:
            self.at += 1
            return ranges if character.islower() else complement(ranges)
        if character not in ("p", "P") or not character:
            return None
        match = _PROPERTY.match(self.text, self.at + 1)
        kind, name = match.groups() if match is not None else (None, "")
        if kind is None:
            exists = name in CATEGORIES or name in BINARY
        elif kind in ("General_Category", "gc"):
            exists = name in CATEGORIES
        else:
            exists = _SCRIPT.fullmatch(name) is not None
        if match is None or not exists:
            written = self.text[self.at - 1 : self.at + 30].partition("}")[0] + "}"
            raise Refused(
                f"names no property of Unicode: `{written}`", r"such as `\p{L}`, `\p{Lu}` or `\p{Script=Greek}`"
            )
        self.at = match.end()
        if name in SURROGATES:
            return () if character == "p" else ((0, LAST),)
        short = {"Script": "sc", "Script_Extensions": "scx", "General_Category": "gc", None: ""}.get(kind, kind)
        return rf"\{character}{{{f'{short}=' if short else ''}{name}}}"

    def character(self, *, inside: bool) -> int:
        """The code point of an escape that means one; the backslash has been read."""
        character = self.text[self.at : self.at + 1]
        self.at += 1
        if not character:
            raise Refused("ends in a `\\`", r"a literal `\` is written `\\`")
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in SYNTAX or (inside and character == "-"):
            return ord(character)
        if character == "0" and not self.text[self.at : self.at + 1].isdigit():
            return 0
        if character == "c":
            letter = self.text[self.at : self.at + 1]
            if letter.isascii() and letter.isalpha():
                self.at += 1
                return ord(letter) % 32
        elif character == "x":
            code = self.hexadecimal(2)
            if code is not None:
                return code
        elif character == "u":
            return self.unicode()
        elif not character.isalnum() and " " <= character <= "~" and (inside or character not in "<>"):
            self.doubt(rf"a literal `{character}` needs no `\`")
            return ord(character)
        help = FOREIGN.get(character, "only what ECMA-262 knows is understood")
        raise Refused(rf"has `\{character}`, which ECMA-262 does not know", help)

    def unicode(self) -> int:
        if self.take("{"):
            match = _HEX.match(self.text, self.at)
            if match is not None and self.text[match.end() : match.end() + 1] == "}" and len(match[0].lstrip("0")) <= 6:
                code = int(match[0], 16)
                if code <= LAST:
                    self.at = match.end() + 1
                    return code
            raise Refused(r"has a `\u{…}` that is no code point")
        high = self.hexadecimal(4)
        if high is None:
            raise Refused(r"has a `\u` without four hexadecimal digits")
        if 0xD800 <= high < 0xDC00 and self.text.startswith("\\u", self.at):
            before = self.at
            self.at += 2
            low = self.hexadecimal(4)
            if low is not None and 0xDC00 <= low < 0xE000:
                return 0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00
            self.at = before
        return high

    def hexadecimal(self, count: int) -> int | None:
        match = _HEX.match(self.text, self.at, self.at + count)
        if match is None or len(match[0]) < count:
            return None
        self.at = match.end()
        return int(match[0], 16)

    def take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def doubt(self, text: str) -> None:
        self.doubts[text] = None

    def _count(self) -> None:
        """Look ahead for the groups: a reference may stand before its group."""
        self.starts: list[int] = []
        self.ends: dict[int, int] = {}
        stack: list[int | None] = []
        at, inside = 0, False
        text = self.text
        while at < len(text):
            character = text[at]
            if character == "\\":
                following = text[at + 1 : at + 2]
                self.refers |= not inside and (following == "k" or (following in "123456789" and bool(following)))
                at += 1
            elif inside:
                inside = character != "]"
            elif character == "[":
                inside = True
            elif character == "(":
                captures = text[at + 1 : at + 2] != "?" or (
                    text.startswith("?<", at + 1) and text[at + 3 : at + 4] not in ("=", "!")
                )
                stack.append(at if captures else None)
                if captures:
                    self.starts.append(at)
                    self.ends[at] = len(text)
                    name = _NAME.match(text, at + 2) if text[at + 1 : at + 2] == "?" else None
                    if name is not None:
                        if not name[1].replace("$", "_").isidentifier():
                            raise Refused(f"has a group with the name `{name[1][:20]}`, which is none")
                        if name[1] in self.names:
                            raise Refused(f"has two groups with the name `{name[1][:20]}`")
                        self.names[name[1]] = len(self.starts)
            elif character == ")" and stack:
                start = stack.pop()
                if start is not None:
                    self.ends[start] = at
            at += 1
        self.groups = len(self.starts)
