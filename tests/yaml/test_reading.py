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


def kinds(text: str | bytes) -> list[str]:
    return [problem.kind for problem in parse(text).problems]


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
    assert document.problems == ()


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
        assert document.problems == ()
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
    assert [(p.kind, p.message, (p.span.line, p.span.column)) for p in document.problems] == [("syntax", message, at)]


def test_a_url_is_no_comment():
    document = parse("a: https://example.com/x\nb: see // there\nc: http://a\n   //b\n")
    assert [problem.span.line for problem in document.problems] == [4]


def test_duplicate_keys_show_both_places_and_the_first_counts():
    document = parse("a: 1\nb: {c: 1, c: 2}\na: {x: [1]}\n'a': 3\n")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [(p.kind, place(p.span), place(p.related[0][0])) for p in document.problems] == [
        ("duplicate-key", (2, 11, 2, 12), (2, 5, 2, 6)),
        ("duplicate-key", (3, 1, 3, 2), (1, 1, 1, 2)),
        ("duplicate-key", (4, 1, 4, 4), (1, 1, 1, 2)),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a: !include b.yaml\n", "tag"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("a: !!binary aGk=\n", "tag"),
        ("a: !!timestamp 2026-01-01\n", "tag"),
        ("a: !!set {x, y}\n", "tag"),
        ("a: !!int x\n", "tag"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "tag"),
        ("a: .nan\n", "value-type"),
        ("a: [-.INF]\n", "value-type"),
        ("a: 1e999\n", "value-type"),
        ("a: " + "9" * 5000 + "\n", "value-type"),
        ("<<: 5\n", "value-type"),
        ("true: 1\n", "key-type"),
        ("1.5: 1\n", "key-type"),
        ("~: 1\n", "key-type"),
        ("? [a]\n: 1\n", "key-type"),
        ("? {a: 1}\n: 1\n", "key-type"),
        (".nan: 1\n", "key-type"),
        ("a: &x [1, *x]\n", "alias-limit"),
        ("&x a: &y {b: *y}\n", "alias-limit"),
        ("a: 1\n---\nb: 2\n", "several-documents"),
        (b"\xef\xbb\xbfa: 1\n", "encoding"),
        ("a: 1\n".encode("utf-16"), "encoding"),
        ("a: 1\n".encode("utf-16-be"), "encoding"),
        ("a: 1\n".encode("utf-32"), "encoding"),
        ("a: é\n".encode("latin-1"), "encoding"),
        (b"a: \xed\xa0\x80\n", "encoding"),
        (b"a: " + b"x" * 1_000_000, "size"),
        (b"[" + b"1," * 499_000 + b"]", "size"),
        ("[" * 100_000, "depth"),
        ("{a: " * 5_000, "depth"),
        ("- " * 100_000, "depth"),
        ("? " * 50_000, "depth"),
    ],
)
def test_what_has_no_place_in_a_project_is_one_problem(text, kind):
    assert kinds(text) == [kind]


def test_undecodable_bytes_are_named_by_number():
    problem = parse(b"a: 1\nb: \xc3\xa9\xff\n").problems[0]
    assert (problem.message, problem.label, place(problem.span)) == (
        "not UTF-8 at byte 10",
        "byte 0xFF",
        (2, 5, 2, 6),
    )
    assert parse(b"\xef\xbb\xbfa: \xff").problems[0].message == "not UTF-8 at byte 6"


def test_a_byte_order_mark_keeps_nothing_from_being_read():
    document = parse(b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert document.problems[0].replacement == ""


def test_response_codes_may_be_integers():
    document = parse("responses: {200: a, 0404: b, '500': c}\n")
    assert document.data == {"responses": {"200": "a", "0404": "b", "500": "c"}}
    assert document.problems == ()
    assert kinds("200: a\n'200': b\n") == ["duplicate-key"]


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
    (problem,) = document.problems
    assert problem.kind == "ambiguous-scalar"
    assert problem.message == f"other YAML readers take `{written}` for {taken_for}"
    assert problem.replacement == (f"'{written}'" if value == written else None), "a number stays one"


ORDINARY = (
    """true|True|FALSE|null|0|-1|1.5|1e3|0x1F|say yes|no way|8080:80|1.2.3|30s|'yes'|"1:30"|12:30 to 14:00|on-call"""
)


@pytest.mark.parametrize("written", [*ORDINARY.split("|"), "127.0.0.1", "${PORT:-8000}", "|\n  yes"])
def test_ordinary_scalars_are_left_alone(written):
    assert kinds(f"a: {written}\n") == []


def test_coordinates_are_no_booleans_and_on_is_one():
    assert kinds("x: 1\ny: 2\nn: 3\n") == []
    assert kinds("on: 1\n") == ["ambiguous-scalar"]


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
    assert [problem for problem in document.problems if problem.kind != "ambiguous-scalar"] == []
    assert document.data["a"] == data


def test_aliases_stand_for_a_bounded_amount():
    """What GS104 reports."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert kinds(bomb) == ["alias-limit"]
    assert kinds("a: &a " + "x" * 500_000 + "\nb: [" + "*a, " * 2_000 + "]\n") == ["alias-limit"]
    merges = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1_000)) + "}\n"
    assert kinds(merges + "".join(f"m{n}: {{<<: *a}}\n" for n in range(100))) == ["alias-limit"]


def test_aliases_cannot_nest_deeper_than_the_limit():
    nested = "a: &a " + "[" * 40 + "]" * 40 + "\n"
    assert kinds(nested + "b: " + "[" * 20 + "*a" + "]" * 20 + "\n") == []
    assert kinds(nested + "b: " + "[" * 40 + "*a" + "]" * 40 + "\n") == ["depth"]


def test_nesting_up_to_the_limit_is_fine():
    assert kinds("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert kinds("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == ["depth"]


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
    assert time.process_time() - started < 5
    assert len(document.problems) <= 100


@pytest.mark.parametrize(
    ("text", "column"),
    [("a: {$ref: #/b}\nc: 1\n", 11), ("a: [{$ref: #/b/c}, x]\n", 12), ("a:\n  b: {x: 1, y: #/q }\n", 16)],
)
def test_a_reference_that_hides_its_bracket_is_named(text, column):
    (problem,) = parse(text).problems
    assert "is a comment in YAML" in problem.message
    assert problem.span.column == column
    assert problem.help.startswith("quote it: `'#/")


def test_merging_twice_is_a_duplicate_that_shows_both_places():
    """Of two `<<` the second would do nothing; one list merges both."""
    anchors = "x: &x {a: 1}\ny: &y {b: 2}\n"
    document = parse(anchors + "z: {<<: *x, c: 3, <<: *y}\n")
    (problem,) = document.problems
    assert (problem.kind, place(problem.span), place(problem.related[0][0])) == (
        "duplicate-key",
        (3, 19, 3, 21),
        (3, 5, 3, 7),
    )
    merged = parse(anchors + "z: {<<: [*x, *y], c: 3}\n")
    assert (merged.problems, merged.data["z"]) == ((), {"a": 1, "b": 2, "c": 3})


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
    assert (document.problems, document.data) == ((), {"a": value})
    if "\n" not in text:
        keyed = parse(f"? {text}\n: {{b: 1, c: 2}}\n")
        assert (keyed.problems, keyed.data) == ((), {value: {"b": 1, "c": 2}})
        assert place(keyed.key_span((value,))) == (1, 3, 1, 3 + len(text))


@pytest.mark.parametrize(
    "text", [r'"\uD83D"', r'"\uDE00\uD83D"', r'"\uD83D\\uDE00"', r'"\\uD83D\uDE00"', r'"\uD83D \uDE00"']
)
def test_a_lone_half_of_a_pair_is_an_error(text):
    (problem,) = parse(f"a: {text}\n").problems
    assert (problem.kind, problem.message) == ("syntax", "the escape names no character")
