"""What ECMA-262 names in regular expressions: classes, properties of Unicode, and what other dialects have instead."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

__all__ = ["BINARY", "CATEGORIES", "DIGIT", "FOREIGN", "SPACE", "SURROGATES", "WORD", "Ranges", "foreign_group"]

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points, first and last of each stretch, in order."""

DIGIT: Final[Ranges] = ((0x30, 0x39),)
WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Final[Ranges] = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)

_CATEGORIES: Final = (
    "Cased_Letter LC Close_Punctuation Pe Connector_Punctuation Pc Control Cc cntrl Currency_Symbol Sc "
    "Dash_Punctuation Pd Decimal_Number Nd digit Enclosing_Mark Me Final_Punctuation Pf Format Cf "
    "Initial_Punctuation Pi Letter L Letter_Number Nl Line_Separator Zl Lowercase_Letter Ll Mark M Combining_Mark "
    "Math_Symbol Sm Modifier_Letter Lm Modifier_Symbol Sk Nonspacing_Mark Mn Number N Open_Punctuation Ps Other C "
    "Other_Letter Lo Other_Number No Other_Punctuation Po Other_Symbol So Paragraph_Separator Zp Private_Use Co "
    "Punctuation P punct Separator Z Space_Separator Zs Spacing_Mark Mc Surrogate Cs Symbol S Titlecase_Letter Lt "
    "Unassigned Cn Uppercase_Letter Lu "
)
CATEGORIES: Final = frozenset(_CATEGORIES.split())
"""Values of General_Category (table 70 of ES2024)."""

SURROGATES: Final = frozenset(("Cs", "Surrogate"))
"""Names of what no text holds."""

_BINARY: Final = (
    "ASCII ASCII_Hex_Digit AHex Alphabetic Alpha Any Assigned Bidi_Control Bidi_C Bidi_Mirrored Bidi_M "
    "Case_Ignorable CI Cased Changes_When_Casefolded CWCF Changes_When_Casemapped CWCM Changes_When_Lowercased "
    "CWL Changes_When_NFKC_Casefolded CWKCF Changes_When_Titlecased CWT Changes_When_Uppercased CWU Dash "
    "Default_Ignorable_Code_Point DI Deprecated Dep Diacritic Dia Emoji Emoji_Component EComp Emoji_Modifier EMod "
    "Emoji_Modifier_Base EBase Emoji_Presentation EPres Extended_Pictographic ExtPict Extender Ext Grapheme_Base "
    "Gr_Base Grapheme_Extend Gr_Ext Hex_Digit Hex IDS_Binary_Operator IDSB IDS_Trinary_Operator IDST ID_Continue "
    "IDC ID_Start IDS Ideographic Ideo Join_Control Join_C Logical_Order_Exception LOE Lowercase Lower Math "
    "Noncharacter_Code_Point NChar Pattern_Syntax Pat_Syn Pattern_White_Space Pat_WS Quotation_Mark QMark Radical "
    "Regional_Indicator RI Sentence_Terminal STerm Soft_Dotted SD Terminal_Punctuation Term Unified_Ideograph "
    "UIdeo Uppercase Upper Variation_Selector VS White_Space space XID_Continue XIDC XID_Start XIDS "
)
BINARY: Final = frozenset(_BINARY.split())
"""Binary properties (tables 68 and 69 of ES2024)."""

FOREIGN: Final[dict[str, str]] = {
    "A": "write `^`",
    "z": "write `$`",
    "Z": "write `$`",
    "G": "write `^`",
    "h": r"write `[\t ]` for a space, `[0-9A-Fa-f]` for a hexadecimal digit",
    "H": r"write `[^\t ]`",
    "e": r"write `\x1B`",
    "a": r"write `\x07`",
    "R": r"write `(?:\r\n|[\n\r])`",
    "N": r"write `.`",
    "Q": r"write `\` before each sign that is meant literally",
    "E": r"write `\` before each sign that is meant literally",
    "K": "write a look-behind: `(?<=…)`",
    "X": r"write `.`, or `\P{M}\p{M}*`",
    "<": r"write `\b`, or `<` for the sign itself",
    ">": r"write `\b`, or `>` for the sign itself",
    "i": r"write `[\p{L}_:]`",
    "l": r"write `\p{Ll}`",
    "L": r"write `\p{Lu}`",
    "0": r"write `\x` and two hexadecimal digits",
    "u": r"write `\u` and four hexadecimal digits, or `\u{…}`",
    "x": r"write `\x` and two hexadecimal digits",
    "c": r"write `\c` and a letter",
}
"""Escapes of other dialects, with what says the same."""


def foreign_group(text: str) -> tuple[str, str]:
    """What an unknown `(?…` is in other dialects."""
    if text.startswith("?P<"):
        return "has a named group in the way of Python", "write `(?<name>…)`"
    if text.startswith(("?P=", "?P>", "?&", "?R", "?'")):
        return (
            f"has `({text[:3]}`, which ECMA-262 does not know",
            r"a named group is `(?<name>…)`, a reference `\k<name>`",
        )
    if text.startswith("?>"):
        return "has an atomic group, which ECMA-262 does not know", "write `(?:…)`: nothing here takes exponential time"
    if text.startswith("?#"):
        return "has a comment in it, which ECMA-262 does not know", "write `$comment` beside the pattern"
    if re.match(r"\?[a-zA-Z^-]+[:)]", text):
        return "has flags inside, which ECMA-262 does not know", "write the letters in both cases: `[aA]`"
    return f"has `({text[:2]}`, which ECMA-262 does not know", "groups are `(…)`, `(?:…)` and `(?<name>…)`"
