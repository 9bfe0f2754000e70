"""Patterns mean what ECMA-262 says, on both engines: the same corpus runs on Node."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import pytest

from gsws.schema.drafts import DEFAULT, DRAFTS
from gsws.schema.ecma import Refused, Translation, translate
from gsws.schema.engine import build, pattern_kind
from tests.e2e.available import missing
from tests.schema.helpers import Schema

PATTERNS = r"""
\<a \bé\b ^.$ a\Z \h \e \Aa a\z ^\d$ a++ a*+ (?>a) (?P<n>a) (?i)a (?i:a) (?<n>a)\k<n> (?<n>a)(?<n>b) ^\w$ ^\s$ ^\S$
^[\s]$ ^[^\S]$ ^\W$ ^[\W]$ ^\D$ \cA \c1 \x41 \x4 \u0041 \u00 \u{1F600} \u{110000} \u{} \uD83D\uDE00 \uD83D
[\uD83D\uDE00] [\uD83D] [^\uD83D] \0 \00 \8 \1 \1(a) (a)\1 (a\1)b (?=(a))\1 (['"])x\1 (?<a>x)(?<b>y)\k<b>\k<a> \k<n>
\k (?<=a)b (?<!a)b (?<=a+)b ^(?=.*\d)(?=.*[a-z]).{4,}$ (?!a)b [a&&b] [a--b] [a~~b] [[a]] [[] [] [^] [\b] [a-] [-a] [\w-]
[z-a] [\]] [\[] [\^] [^^] a{2} a{2,} a{,2} a{3,2}
x{2}{3} (?=a)* \b* ^* a** a? a?? a+? | a| (|a) () (?:) (? ( ) (?: (?<n>
\\ \/ / \p{L} \p{Lu} \p{Letter} \p{letter} \p{Script=Greek} \p{Script=greek} \p{Greek} \p{scx=Grek} \P{L} [\p{L}\d]
[^\p{L}] \pL \p \p{Any} \p{ASCII} \p{Cs} \P{Cs} \p{Emoji} ^\p{Emoji_Presentation}$ \p{gc=Lu} \p{Alphabetic}
\p{Alpha=Yes} (?<1a>b) (?<$a>b) (?<é>b) \B a\B \Bé ^a$ a$ (a*)*b (a|ab)(c|bcd)(d*) ^(?:a?){3}a{3}$ \u2028 [^\n]
^\v\f$ \a \Q.\E \R \X \G \N (?#a)b (?|a) (?'n'a) (?R) (?(1)a|b) \g1 ^[^${}]+$ \$\{x\} [\u{1F600}-\u{1F64F}] ^[\s\S]$
^(?:a|b){0}c [^a-zA-Z\u00C0-\u017F] é [é-ü] 😀 [😀] a.c \u{41} [\cA] \^ ^^a a$$ ~ # && (?:){2}a (){1,2} \z(?=a)
""".split()
TEXTS = [
    "",
    "a",
    "b",
    "c",
    "aa",
    "ab",
    "ba",
    "abc",
    "aaa",
    "aaaaaa",
    "aab",
    "\n",
    "\r",
    "\r\n",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\u180e",
    " ",
    "é",
    "aé",
    "éa",
    "٣",
    "5",
    "x",
    "xx",
    "xyyx",
    "y",
    "_",
    "-",
    "A",
    "Aa1!",
    "😀",
    "😀😀",
    "[",
    "]",
    "{",
    "}",
    "${x}",
    "&&",
    "\\",
    "/",
    ".",
    "\x01",
    "\x08",
    "\0",
    "ſ",
    "K",
    "\v\f",
    "ς",
    "Σ",
    "#",
    "~",
    "a\n",
    "\na",
    "&",
    "^",
    "$",
    "a$",
    '"x"',
    "'x'",
    "'x\"",
    "acd",
    "abcd",
    "1a",
    "A\u0301",
    "\U0010ffff",
]
SCRIPT = """
const answers = []
for (const [pattern, texts] of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  let made = null
  try { made = new RegExp(pattern, "u") } catch {}
  answers.push(made && texts.map((text) => made.test(text)))
}
process.stdout.write(JSON.stringify(answers))
"""


def on_node(patterns: list[str]) -> list[list[bool] | None]:
    """What Node says of each text, or None for a pattern that it refuses."""
    if shutil.which("node") is None:
        missing("Node.js is not installed")
    asked = json.dumps([[pattern, TEXTS] for pattern in patterns])
    done = subprocess.run(["node", "-e", SCRIPT], input=asked, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def compared(patterns: list[str]) -> tuple[int, list[str]]:
    """How many patterns are taken, and those that Node refuses and gsws takes, or where a text is judged otherwise."""
    taken, wrong = 0, []
    for pattern, expected in zip(patterns, on_node(patterns), strict=True):
        kind = pattern_kind(pattern)
        spoken = translate(pattern)
        if isinstance(kind, Refused) or isinstance(spoken, Refused) or (expected is None and spoken.doubts):
            continue
        taken += 1
        for fancy in (False, True) if kind == "linear" else (True,):
            check = build({"pattern": pattern}, DEFAULT, fancy=fancy).is_valid
            if [check(text) for text in TEXTS] != expected:
                wrong.append(pattern)
    return taken, wrong


class Generator:
    """Random patterns of the whole grammar, mostly valid ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def pattern(self, depth: int = 3) -> str:
        return "|".join(
            "".join(self.term(depth) for _ in range(self.chance.randint(1, 3)))
            for _ in range(self.chance.choice([1, 1, 1, 2]))
        )

    def term(self, depth: int) -> str:
        repeat = self.chance.choice(["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "{0,1}"])
        return self.atom(depth) + (repeat if self.chance.random() < 0.25 else "")

    def atom(self, depth: int) -> str:
        pick, kind = self.chance.choice, self.chance.random()
        if kind < 0.3:
            return pick(["a", "b", "c", "x", "y", "é", "5", "_", "-", "/", " ", "😀", "&", "#", "~"])
        if kind < 0.5:
            return pick(r"\d \w \s \D \W \S . \p{L} \P{Lu} \x61 \u0062 \u{1F600} \t \. \$ \p{Nd} \0 \cJ".split())
        if kind < 0.65:
            parts = [*r"a b-y é \d \W \s \- \] && ~ [ ^ . \p{L} 5 \u2028 \b 😀 \P{L} $ {".split()]
            return f"[{pick(['', '^'])}{''.join(self.chance.choices(parts, k=self.chance.randint(0, 3)))}]"
        if kind < 0.7:
            return pick([r"\b", r"\B", "^", "$"])
        if depth == 0:
            return "a"
        if kind < 0.82:
            return pick(["(?=", "(?!", "(?<=", "(?<!"]) + self.pattern(depth - 1) + ")"
        if kind < 0.85:
            return pick([r"\1", r"\2"])
        return pick(["(", "(?:", "(?:", "(?<n>"]) + self.pattern(depth - 1) + ")"


def test_every_pattern_that_is_taken_means_what_node_says():
    taken, wrong = compared(PATTERNS)
    assert wrong == []
    assert 90 < taken < len(PATTERNS)


@pytest.mark.parametrize("seed", range(4))
def test_generated_patterns_mean_what_node_says(seed):
    generator = Generator(seed)
    patterns = [generator.pattern() for _ in range(1_000)]
    taken, wrong = compared(patterns)
    assert wrong == []
    assert taken > 500


def test_hardly_a_pattern_of_node_is_refused():
    """What is refused is a reference to a group that may not have matched, or what the engine has no room for."""
    refused = [
        (pattern, kind.reason)
        for pattern, answer in zip(PATTERNS, on_node(PATTERNS), strict=True)
        if answer is not None and isinstance(kind := pattern_kind(pattern), Refused)
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("pattern", "reason", "help"),
    [
        (r"\<a", r"has `\<`", r"write `\b`, or `<` for the sign itself"),
        (r"a\Z", r"has `\Z`", "write `$`"),
        (r"\Aa", r"has `\A`", "write `^`"),
        (r"\e[0m", r"has `\e`", r"write `\x1B`"),
        (r"(?P<year>\d+)", "has a named group in the way of Python", "write `(?<name>…)`"),
        ("(?i)yes", "has flags inside", "write the letters in both cases: `[aA]`"),
        ("(?>a+)b", "has an atomic group", "write `(?:…)`: nothing here takes exponential time"),
        ("a++", "has a `+` with nothing to repeat", "possessive repetitions are another dialect's"),
        ("[[:alpha:]]+", "has a class of POSIX", r"write `\p{L}`, `\d` or the characters"),
        ("a{,3}", "has `{,n}`", "write `{0,n}`"),
        (r"\p{letter}", "names no property of Unicode", r"such as `\p{L}`, `\p{Lu}` or `\p{Script=Greek}`"),
        (
            r"((a)|b)*\2",
            "refers to a group that may not have matched",
            "put the group where every match goes through it",
        ),
        ("[z-a]", "has a range that is backwards", None),
        ("(a{1000}){1000}", "cannot be run here", None),
        ("(" * 500 + ")" * 500, "nests more than 100 levels", None),
    ],
)
def test_what_cannot_be_had_is_a_finding_with_what_to_write(pattern, reason, help):
    schema = Schema(f"pattern: {json.dumps(pattern)}")
    (finding,) = schema.compiled.findings

    assert (finding.code, finding.severity.value) == ("GS408", "error")
    assert f"is no regular expression of ECMA-262: it {reason}" in finding.message
    assert help is None or finding.help == help
    assert schema.compiled.validator is None


@pytest.mark.parametrize(
    ("pattern", "fits", "refused"),
    [(r"^\-$", "-", "\\"), (r"^[\w-.]$", "-", "!"), ("^{a}$", "{a}", "a"), (r"^\_\@$", "_@", "a"), (r"^\'$", "'", "a")],
)
@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_what_every_dialect_takes_literally_is_a_warning(pattern, fits, refused, draft):
    """The `u` flag forbids it, and public schemas are full of it."""
    schema = Schema(f"$schema: {draft.uri}{'#' if draft.lone_ref else ''}\npattern: {json.dumps(pattern)}")
    (finding,) = schema.compiled.findings

    assert (finding.code, finding.severity.value) == ("GS408", "warning")
    assert schema.check(fits)
    assert not schema.check(refused)
    assert schema.reasons(refused) == [("", "pattern")]


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
@pytest.mark.parametrize(
    ("pattern", "fits", "refused"),
    [
        (r"\bé", "xé", "é"),
        (r"^\B.$", "é", "a"),
        (r"^.$", "\u0085", "\r"),
        (r"^[^\n]$", "\r", "\n"),
        (r"^\w$", "a", "é"),
        (r"^[a&&b]$", "&", "c"),
        (r"^[]$|^x$", "x", "y"),
        (r"^(?<q>['\x22]).*\k<q>$", "'a'", "'a\""),
        (r"^(?!\s).*(?<!\s)$", "a b", "a "),
        ("^\u00e9\u2028?$", "\u00e9", "e"),
    ],
)
def test_each_draft_reads_a_pattern_alike(pattern, fits, refused, draft):
    head = f"$schema: {draft.uri}{'#' if draft.lone_ref else ''}\n"
    for text, wrap in (
        (f"pattern: {json.dumps(pattern)}", lambda value: value),
        (f"patternProperties: {{{json.dumps(pattern)}: {{type: integer}}}}", lambda value: {value: 1}),
    ):
        schema = Schema(head + text)
        assert schema.codes == []
        if text.startswith("pattern:"):
            assert (schema.check(wrap(fits)), schema.check(wrap(refused))) == (True, False)
        else:
            assert (schema.check({fits: "x"}), schema.check({refused: "x"})) == (False, True)


def test_a_definition_and_its_user_may_need_different_engines():
    """One with a look-around and one with a word boundary meet in one validator."""
    definitions = {"definitions/d.yaml": "K: {pattern: '\\bé'}\nL: {pattern: '^(?=.*é)'}\n"}
    for text in (
        "allOf: [{$ref: '#/definitions/d/K'}, {pattern: '^(?=.*é)'}]",
        "allOf: [{$ref: '#/definitions/d/L'}, {pattern: '\\bé'}]",
        "$schema: http://json-schema.org/draft-07/schema#\nallOf: [{$ref: '#/definitions/d/K'}, {pattern: é}]",
    ):
        schema = Schema(text, definitions)
        assert schema.codes == []
        assert schema.check("xé")
        assert not schema.check("é")


def test_the_pattern_of_the_file_is_quoted_to_the_client():
    schema = Schema("pattern: '^\\bx\\-'")
    assert schema.explain("a") == [("", "pattern", 'must match "^\\\\bx\\\\-", not "a"')]


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "[" * 100_000, "a|" * 50_000, "\\" * 99_999, "(?=" * 50_000, "a{1}" * 25_000, "x" * 200_000]
)
def test_long_patterns_are_read_in_one_go(text):
    assert isinstance(translate(text), (Refused, Translation))
