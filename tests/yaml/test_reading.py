"""YAML as projects write it: data, spans, and every way in which a file can be wrong."""

from __future__ import annotations

import time

import pytest

from gsws.text.span import Span
from gsws.yaml.reading import MAX_DEPTH, parse_yaml


def parse(text: str | bytes):
    return parse_yaml("events/a.yaml", text if isinstance(text, bytes) else text.encode())


def place(span: Span) -> tuple[int, int, int, int]:
    return span.line, span.column, span.end_line, span.end_column


def codes(text: str | bytes) -> list[str]:
    return [finding.code for finding in parse(text).findings]


EVENT = """\
"websocket.chat":
  fn: chat
  payload:
    type: object
    required: [a, b]

  # a comment belongs to nothing
  summary: |
    First line.
    Second line.

  timeout:
tail: 1
"""


def test_data_is_plain_json():
    """Mappings, lists, texts, numbers, booleans and null; nothing of the library's own types."""
    document = parse("a: [1, 2.5, true, null, x, '1', \"\\u00e9\"]\nb: {c: ~, d: }\n")
    assert document.data == {"a": [1, 2.5, True, None, "x", "1", "é"], "b": {"c": None, "d": None}}
    assert type(document.data["a"][0]) is int
    assert type(document.data["a"][4]) is str
    assert document.findings == ()


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        (("websocket.chat",), (1, 1, 1, 17)),
        (("websocket.chat", "fn"), (2, 3, 2, 5)),
        (("websocket.chat", "payload", "required", 1), (5, 19, 5, 20)),
        (("websocket.chat", "timeout"), (12, 3, 12, 10)),
        (("websocket.chat", "nowhere"), (1, 1, 1, 17)),
        (("websocket.chat", "payload", "nowhere", "deeper"), (3, 3, 3, 10)),
        (("nowhere",), (1, 1, 1, 17)),
        ((), (1, 1, 1, 17)),
    ],
)
def test_key_span_is_the_key_or_the_nearest_above(pointer, expected):
    assert place(parse(EVENT).key_span(pointer)) == expected


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        (("websocket.chat", "fn"), (2, 7, 2, 11)),
        (("websocket.chat", "payload"), (4, 5, 5, 21)),
        (("websocket.chat", "payload", "required"), (5, 15, 5, 21)),
        (("websocket.chat", "summary"), (8, 12, 10, 17)),
        (("websocket.chat", "timeout"), (12, 3, 12, 10)),
        (("websocket.chat",), (2, 3, 12, 11)),
        (("tail",), (13, 7, 13, 8)),
        (("websocket.chat", "nowhere"), (1, 1, 1, 17)),
        ((), (1, 1, 13, 8)),
    ],
)
def test_value_span_ends_at_the_last_visible_character(pointer, expected):
    assert place(parse(EVENT).value_span(pointer)) == expected


def test_has_tells_what_is_there_null_included():
    document = parse("a: {b: null, c: [x]}\n200: y\n")
    assert document.has(("a", "b"))
    assert document.has(("a", "c", 0))
    assert document.has((200,))
    assert document.has(())
    assert not document.has(("a", "c", 1))
    assert not document.has(("a", "b", "d"))
    assert not parse("a: [").has(())


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
def test_columns_count_code_points(prefix):
    """Neither bytes nor terminal cells, and the byte-order mark is no column."""
    document = parse(prefix + "é: 😀😀 # x\nb: {ключ: значение}\n")
    assert place(document.value_span(("é",))) == (1, 4, 1, 6)
    assert place(document.value_span(("b", "ключ"))) == (2, 11, 2, 19)


def test_line_breaks_of_every_kind_count_once():
    document = parse("a: 1\r\nb: 2\rc: 3\nd: x\u2028y\u0085z\ne: 5\n")
    assert document.data == {"a": 1, "b": 2, "c": 3, "d": "x\u2028y\u0085z", "e": 5}
    assert [document.key_span((key,)).line for key in "abcde"] == [1, 2, 3, 4, 5]


def test_a_copy_with_other_data_keeps_its_spans():
    import dataclasses

    document = parse("a: {b: 1}\n")
    copy = dataclasses.replace(document, data={"a": {"b": 2}})
    assert place(copy.value_span(("a", "b"))) == (1, 8, 1, 9)


def test_empty_and_comment_only_files_are_empty():
    for text in ("", "\n\n", "# nothing\n", "---\n", "---\n...\n"):
        document = parse(text)
        assert document.data is None
        assert document.findings == ()
        assert document.key_span(("a",)).line <= 2


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("a:\n\tb: 1\n", "a tab indents this line, YAML knows only spaces", (2, 1)),
        ("a:\n  b: 1\n  \tc: 2\n", "a tab indents this line, YAML knows only spaces", (3, 3)),
        ("// hi\na: 1\n", "`//` starts no comment in YAML", (1, 1)),
        ("a: 1\n// hi\nb: 2\n", "`//` starts no comment in YAML", (2, 1)),
        ("a:\n  fn: x\n  // swallowed\n", "`//` starts no comment in YAML", (3, 3)),
        ("// only\n", "`//` starts no comment in YAML", (1, 1)),
        ("a: [1, 2\nb: 3\n", "expected `,` or `]`", (2, 2)),
        ("a: {b: 1\n", "expected `,` or `}`", (1, 8)),
        ("a: 'x\n", "the quoted text never ends", (1, 5)),
        ("a: b: c\n", "a `:` cannot stand here", (1, 5)),
        ("a: @x\n", "`@` cannot start a value", (1, 4)),
        ("a: `x`\n", "a backtick cannot start a value", (1, 4)),
        ("a: *nope\n", "no anchor `&nope` before this alias", (1, 4)),
        ("a: x\x00y\n", "a NUL byte is not allowed in YAML", (1, 5)),
        ("a: \x1b[31m\n", "the control character U+001B is not allowed in YAML", (1, 4)),
        ("a: 1\nb\n", "this line is neither `key: value` nor part of a value", (2, 1)),
    ],
)
def test_syntax_errors_are_named_where_they_are(text, message, at):
    document = parse(text)
    assert [(p.code, p.message, (p.span.line, p.span.column)) for p in document.findings] == [("GS101", message, at)]


def test_a_url_is_no_comment():
    document = parse("a: https://example.com/x\nb: see // there\nc: http://a\n   //b\n")
    assert [finding.span.line for finding in document.findings] == [4]


def test_duplicate_keys_show_both_places_and_the_first_counts():
    document = parse("a: 1\nb: {c: 1, c: 2}\na: {x: [1]}\n'a': 3\n")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [(p.code, place(p.span), place(p.related[0].span)) for p in document.findings] == [
        ("GS102", (2, 11, 2, 12), (2, 5, 2, 6)),
        ("GS102", (3, 1, 3, 2), (1, 1, 1, 2)),
        ("GS102", (4, 1, 4, 4), (1, 1, 1, 2)),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !include b.yaml\n", "GS108"),
        ("a: !!python/object/apply:os.system [ls]\n", "GS108"),
        ("a: !!binary aGk=\n", "GS108"),
        ("a: !!timestamp 2026-01-01\n", "GS108"),
        ("a: !!set {x, y}\n", "GS108"),
        ("a: !!int x\n", "GS108"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "GS108"),
        ("a: .nan\n", "GS306"),
        ("a: [-.INF]\n", "GS306"),
        ("a: 1e999\n", "GS306"),
        ("a: " + "9" * 5000 + "\n", "GS306"),
        ("<<: 5\n", "GS306"),
        ("true: 1\n", "GS306"),
        ("1.5: 1\n", "GS306"),
        ("~: 1\n", "GS306"),
        ("? [a]\n: 1\n", "GS306"),
        ("? {a: 1}\n: 1\n", "GS306"),
        (".nan: 1\n", "GS306"),
        ("a: &x [1, *x]\n", "GS104"),
        ("&x a: &y {b: *y}\n", "GS104"),
        ("a: 1\n---\nb: 2\n", "GS105"),
        (b"\xef\xbb\xbfa: 1\n", "GS004"),
        ("a: 1\n".encode("utf-16"), "GS004"),
        ("a: 1\n".encode("utf-16-be"), "GS004"),
        ("a: 1\n".encode("utf-32"), "GS004"),
        ("a: é\n".encode("latin-1"), "GS004"),
        (b"a: \xed\xa0\x80\n", "GS004"),
        (b"a: " + b"x" * 1_000_000, "GS003"),
        (b"[" + b"1," * 499_000 + b"]", "GS003"),
        ("[" * 100_000, "GS101"),
        ("{a: " * 5_000, "GS101"),
        ("- " * 100_000, "GS101"),
        ("? " * 50_000, "GS101"),
    ],
)
def test_what_has_no_place_in_a_project_is_one_finding(text, code):
    assert codes(text) == [code]


def test_undecodable_bytes_are_named_by_number():
    finding = parse(b"a: 1\nb: \xc3\xa9\xff\n").findings[0]
    assert (finding.message, finding.label, place(finding.span)) == (
        "not UTF-8 at byte 10",
        "byte 0xFF",
        (2, 5, 2, 6),
    )
    assert parse(b"\xef\xbb\xbfa: \xff").findings[0].message == "not UTF-8 at byte 6"


def test_a_byte_order_mark_keeps_nothing_from_being_read():
    document = parse(b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert document.findings[0].fix.edits[0].replacement == ""


def test_response_codes_may_be_integers():
    document = parse("responses: {200: a, 0404: b, '500': c}\n")
    assert document.data == {"responses": {"200": "a", "0404": "b", "500": "c"}}
    assert document.findings == ()
    assert codes("200: a\n'200': b\n") == ["GS102"]


@pytest.mark.parametrize(
    ("written", "value", "taken_for"),
    [
        ("yes", "yes", "a boolean"),
        ("No", "No", "a boolean"),
        ("ON", "ON", "a boolean"),
        ("n", "n", "a boolean"),
        ("1:30", "1:30", "a time"),
        ("22:22", "22:22", "a time"),
        ("2026-01-01", "2026-01-01", "a time"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "a time"),
        ("014", 14, "a number"),
        ("0o14", 12, "a number"),
        ("1_000", "1_000", "a number"),
        ("0b101", "0b101", "a number"),
    ],
)
def test_scalars_that_others_misread_are_text_or_plain_numbers_and_warned_of(written, value, taken_for):
    """What GS103 reports."""
    document = parse(f"a: {written}\n")
    assert document.data == {"a": value}
    (finding,) = document.findings
    assert finding.code == "GS103"
    assert finding.message == f"other YAML readers take `{written}` for {taken_for}"
    replacement = finding.fix.edits[0].replacement if finding.fix else None
    assert replacement == (f"'{written}'" if value == written else None), "a number stays one"


ORDINARY = (
    """true|True|FALSE|null|0|-1|1.5|1e3|0x1F|say yes|no way|8080:80|1.2.3|30s|'yes'|"1:30"|12:30 to 14:00|on-call"""
)


@pytest.mark.parametrize("written", [*ORDINARY.split("|"), "127.0.0.1", "${PORT:-8000}", "|\n  yes"])
def test_ordinary_scalars_are_left_alone(written):
    assert codes(f"a: {written}\n") == []


def test_coordinates_are_no_booleans_and_on_is_one():
    assert codes("x: 1\ny: 2\nn: 3\n") == []
    assert codes("on: 1\n") == ["GS103"]


def test_merge_keys_take_over_what_is_missing():
    document = parse("base: &b {x: 1, y: 2}\na:\n  <<: *b\n  y: 3\nb:\n  <<: [*b, {z: 4}]\nc: {'<<': 1}\n")
    assert document.data["a"] == {"y": 3, "x": 1}
    assert document.data["b"] == {"x": 1, "y": 2, "z": 4}
    assert document.data["c"] == {"<<": 1}
    assert place(document.value_span(("a", "x"))) == (1, 14, 1, 15)


def test_environment_references_stand_unquoted_in_flow_mappings():
    """The way the reference shows them; libyaml alone takes their braces for mappings."""
    document = parse("jwt: {secret: ${JWT_SECRET}, in: [${A:-b, c}, ${B:?say: so}]}\nx: ${C}\ny: '${D}'\n")
    assert document.data == {
        "jwt": {"secret": "${JWT_SECRET}", "in": ["${A:-b, c}", "${B:?say: so}"]},
        "x": "${C}",
        "y": "${D}",
    }
    assert place(document.value_span(("jwt", "secret"))) == (1, 15, 1, 28)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: [https://app.example.com, http://b:80/c?d=e]", ["https://app.example.com", "http://b:80/c?d=e"]),
        ("a: {url: nats://localhost:4222, at: 12:30}", {"url": "nats://localhost:4222", "at": "12:30"}),
        ("a: {pattern: ^https?://x$, q: what?}", {"pattern": "^https?://x$", "q": "what?"}),
        ("a: {b: ::1, c: '::1', d: \"a:b?\"}", {"b": "::1", "c": "::1", "d": "a:b?"}),
        ('a: {"b":1,"c":[true,"d"],"e":{"f":null}}', {"b": 1, "c": [True, "d"], "e": {"f": None}}),
        ("a: {b:1}", {"b:1": None}),
        ("a: [b: 1, ? c : 2]", [{"b": 1}, {"c": 2}]),
        ("a: [x:y]\nb:c: 5", ["x:y"]),
        ("a: [?x, -y, :z]", ["?x", "-y", ":z"]),
    ],
)
def test_plain_texts_in_flow_collections_follow_yaml_1_2(text, data):
    document = parse(text)
    assert [finding for finding in document.findings if finding.code != "GS103"] == []
    assert document.data["a"] == data


def test_aliases_stand_for_a_bounded_amount():
    """What GS104 reports."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert codes(bomb) == ["GS104"]
    assert codes("a: &a " + "x" * 500_000 + "\nb: [" + "*a, " * 2_000 + "]\n") == ["GS104"]
    merges = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1_000)) + "}\n"
    assert codes(merges + "".join(f"m{n}: {{<<: *a}}\n" for n in range(100))) == ["GS104"]


def test_aliases_cannot_nest_deeper_than_the_limit():
    nested = "a: &a " + "[" * 40 + "]" * 40 + "\n"
    assert codes(nested + "b: " + "[" * 20 + "*a" + "]" * 20 + "\n") == []
    assert codes(nested + "b: " + "[" * 40 + "*a" + "]" * 40 + "\n") == ["GS101"]


def test_nesting_up_to_the_limit_is_fine():
    assert codes("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert codes("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == ["GS101"]


@pytest.mark.parametrize(
    "text",
    [
        " " * 900_000 + "x",
        "#\n" * 450_000 + "a: 1",
        "%TAG !a! b:\n" * 70_000,
        "a" * 900_000 + ": 1",
        "'" * 900_000,
        "a: ${" * 150_000,
        "&a " * 300_000,
        "- a\n" * 90_000,
        "a: |\n" + "  x\n" * 200_000,
        "x: &a a\n" + "y: *a\n" * 100_000,
        "\n".join("a: 1" for _ in range(90_000)),
    ],
    ids=range(11),
)
def test_hostile_files_take_bounded_time(text):
    started = time.process_time()
    document = parse(text)
    document.value_span(())
    document.key_span(("a",))
    assert time.process_time() - started < 30
    assert len(document.findings) <= 100


@pytest.mark.parametrize(
    ("text", "column"),
    [("a: {$ref: #/b}\nc: 1\n", 11), ("a: [{$ref: #/b/c}, x]\n", 12), ("a:\n  b: {x: 1, y: #/q }\n", 16)],
)
def test_a_reference_that_hides_its_bracket_is_named(text, column):
    (finding,) = parse(text).findings
    assert "is a comment in YAML" in finding.message
    assert finding.span.column == column
    assert finding.help.startswith("quote it: `'#/")


def test_merging_twice_is_a_duplicate_that_shows_both_places():
    """Of two `<<` the second would do nothing; one list merges both."""
    anchors = "x: &x {a: 1}\ny: &y {b: 2}\n"
    document = parse(anchors + "z: {<<: *x, c: 3, <<: *y}\n")
    (finding,) = document.findings
    assert (finding.code, place(finding.span), place(finding.related[0].span)) == (
        "GS102",
        (3, 19, 3, 21),
        (3, 5, 3, 7),
    )
    merged = parse(anchors + "z: {<<: [*x, *y], c: 3}\n")
    assert (merged.findings, merged.data["z"]) == ((), {"a": 1, "b": 2, "c": 3})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\uD83D\uDE00"', "\U0001f600"),
        (r'"a\ud83d\ude00b\uDBFF\uDFFFc"', "a\U0001f600b\U0010ffffc"),
        (r'"\\\uD83D\uDE00\u00e9"', "\\\U0001f600é"),
        (r'"\\uD83D\\uDE00"', r"\uD83D\uDE00"),
        (r"'\uD83D\ude00 \uD83D\uDE01'", r"\uD83D\ude00 \uD83D\uDE01"),
        (r"\uD83D\ude00", r"\uD83D\ude00"),
        ('|-\n  \\uD83D\\uDE00\n  {"a": "\\uD83D\\uDE01"}', '\\uD83D\\uDE00\n{"a": "\\uD83D\\uDE01"}'),
    ],
)
def test_pairs_of_escapes_are_one_character_as_json_writes_it(text, value):
    """In double quotes only: elsewhere a backslash is a letter; keys and the places of what follows are right too."""
    document = parse(f"# \\uD83D\\uDE00\na: {text}\n")
    assert (document.findings, document.data) == ((), {"a": value})
    if "\n" not in text:
        keyed = parse(f"? {text}\n: {{b: 1, c: 2}}\n")
        assert (keyed.findings, keyed.data) == ((), {value: {"b": 1, "c": 2}})
        assert place(keyed.key_span((value,))) == (1, 3, 1, 3 + len(text))


@pytest.mark.parametrize(
    "text", [r'"\uD83D"', r'"\uDE00\uD83D"', r'"\uD83D\\uDE00"', r'"\\uD83D\uDE00"', r'"\uD83D \uDE00"']
)
def test_a_lone_half_of_a_pair_is_an_error(text):
    (finding,) = parse(f"a: {text}\n").findings
    assert (finding.code, finding.message) == ("GS101", "the escape names no character")
