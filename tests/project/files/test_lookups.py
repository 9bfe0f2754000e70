"""Look-ups in values: types, defaults, places, and what must not be taken for one."""

from __future__ import annotations

import time

import pytest

from gsws.project.files.lookups import Lookups, Unresolved, expand
from gsws.yaml.reading import parse_yaml

LOOKUPS = Lookups(
    {"PORT": "9000", "NAME": "ann", "EMPTY": "", "YES": "true", "ZIP": "0123", "BAD": "\udc80", "LONG": "9" * 5000},
    {"a": {"b": 5, "list": ["x", {"y": 2}], "text": "t"}},
    {"gender": {"m": "male"}},
)


def value(scalar: str, **options: bool):
    expanded = expand(parse_yaml("f.yaml", f"k: {scalar}\n".encode()), LOOKUPS, **options)
    return expanded.data.get("k"), [(finding.code, finding.message) for finding in expanded.findings]


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("${PORT}", 9000),
        ("${PORT:-8000}", 9000),
        ("${NONE:-8000}", 8000),
        ("${NONE:-1.5}", 1.5),
        ("${NONE:-}", None),
        ("${EMPTY:-x}", "x"),
        ("${YES}", True),
        ("${NAME:?must be set}", "ann"),
        ("port ${PORT}", "port 9000"),
        ("a${NAME}b${NAME}c", "aannbannc"),
        ("$${NAME}", "${NAME}"),
        ("cost $$5", "cost $5"),
        ("cost $5", "cost $5"),
        ("$NAME", "$NAME"),
        ("'^\\d+$'", "^\\d+$"),
        ("<% config.a.b %>", 5),
        ("<%config.a.b%>", 5),
        ("<% config.a.list.1.y %>", 2),
        ("x<% config.a.text %>", "xt"),
        ("<% mappings.gender %>", {"m": "male"}),
        ("<% mappings.gender.m %>", "male"),
        ("<% process.env.PORT %>", 9000),
        ("${LONG}", "9" * 5000),
    ],
)
def test_a_look_up_gives(scalar, expected):
    assert value(scalar) == (expected, [])


@pytest.mark.parametrize(
    ("scalar", "code"),
    [
        ("${NONE}", "GS501"),
        ("${NONE:?say who}", "GS501"),
        ("${EMPTY:?say who}", "GS501"),
        ("<% process.env.NONE %>", "GS501"),
        ("<% config.a.c %>", "GS501"),
        ("<% config.a.list.7 %>", "GS501"),
        ("<% config.__class__ %>", "GS501"),
        ("${}", "GS502"),
        ("${NAME", "GS502"),
        ("${1A}", "GS502"),
        ("${NAME-x}", "GS502"),
        ("${A:-${NAME}}", "GS502"),
        ("${config.a}", "GS502"),
        ("<% 1 + 1 %>", "GS502"),
        ("<% config['a'] %>", "GS502"),
        ("<% config.a.b", "GS502"),
        ("<% inputs.body.x %>", "GS502"),
        ("<% __import__('os').system('id') %>", "GS502"),
        ("<% config %>", "GS502"),
        ("<% %>", "GS502"),
        ("x <% mappings.gender %>", "GS506"),
        ("${BAD}", "GS506"),
    ],
)
def test_what_cannot_be_looked_up_is_an_error(scalar, code):
    found, findings = value(scalar)

    assert [one for one, _ in findings] == [code]
    assert isinstance(found, Unresolved)


def test_an_error_stands_at_its_own_place_inside_the_value():
    document = parse_yaml("f.yaml", 'a:\n  b: "x ${NO} ${PORT} ${NO} é ${ALSO_NO}"\n'.encode())
    spans = [(one.span.line, one.span.column, one.span.end_column) for one in expand(document, LOOKUPS).findings]

    assert spans == [(2, 9, 14), (2, 23, 28), (2, 31, 41)]


def test_an_error_in_a_block_text_stands_in_its_line():
    document = parse_yaml("f.yaml", b"a: |\n  one\n  two ${NO}\n")
    (finding,) = expand(document, LOOKUPS).findings

    assert (finding.span.line, finding.span.column) == (3, 7)


def test_a_misspelt_variable_suggests_the_near_one():
    document = parse_yaml("f.yaml", b"a: ${JWT_SECRT}\n")
    (finding,) = expand(document, Lookups({"JWT_SECRET": "x"})).findings

    assert finding.help == "did you mean `JWT_SECRET`?"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("'^\\d+\\$$'", "^\\d+\\$$"), ("'^a$$'", "^a$$"), ("'^\\${x}$'", "^\\${x}$"), ("${NAME}", "ann"), ("'^$'", "^$")],
)
def test_a_dollar_in_a_pattern_is_the_regular_expressions(pattern, expected):
    """`$$` would else turn `ends in a dollar sign` into something that accepts more."""
    document = parse_yaml("f.yaml", f"pattern: {pattern}\n".encode())

    assert expand(document, LOOKUPS, "schema").data == {"pattern": expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'${'", "${"),
        ("'^[^${}]+$'", "^[^${}]+$"),
        ("'${first name}'", "${first name}"),
        ("'costs $$ 5'", "costs $$ 5"),
        ("'write $${NAME}'", "write ${NAME}"),
        ("'<%= body %>'", "<%= body %>"),
        ("'${a.b}'", "${a.b}"),
        ("'hi ${NAME}'", "hi ann"),
        ("'${NONE:-x}'", "x"),
    ],
)
@pytest.mark.parametrize("key", ["const", "description", "title"])
def test_in_a_schema_only_the_exact_form_is_a_look_up(key, text, expected):
    document = parse_yaml("f.yaml", f"{key}: {text}\n".encode())
    expanded = expand(document, LOOKUPS, "schema")

    assert (expanded.data, expanded.findings) == ({key: expected}, [])


def test_null_counts_as_absent_among_gsws_own_keys_only():
    document = parse_yaml("f.yaml", b"a: null\nb: {c: ~, const: null}\nl: [null, {d: null}]\n")

    assert expand(document, LOOKUPS).data == {"b": {}, "l": [None, {}]}
    whole = {"a": None, "b": {"c": None, "const": None}, "l": [None, {"d": None}]}
    assert expand(document, LOOKUPS, "data").data == whole
    assert expand(document, LOOKUPS, "schema").data == whole
    assert expand(document, LOOKUPS, lambda place: "data" if place == ("b",) else "keys").data == {
        "b": {"c": None, "const": None},
        "l": [None, {}],
    }


def test_keys_are_taken_as_written():
    document = parse_yaml("f.yaml", b'"${NAME}": 1\n')

    assert expand(document, LOOKUPS).data == {"${NAME}": 1}


@pytest.mark.parametrize("text", ["${" * 200_000, "<%" * 200_000, "$$" * 200_000, "${A" * 100_000, "${NAME}" * 60_000])
def test_hostile_texts_end_soon(text):
    """A megabyte of openings costs what a megabyte costs."""
    document = parse_yaml("f.yaml", f"a: '{text}'\n".encode())
    started = time.process_time()
    expanded = expand(document, LOOKUPS)

    assert time.process_time() - started < 30
    assert len(expanded.findings) <= 20


def test_a_text_grows_only_so_far():
    """Ten thousand look-ups of a large value make no gigabyte."""
    document = parse_yaml("f.yaml", ("a: 'x" + "${BIG}" * 1000 + "'\n").encode())
    expanded = expand(document, Lookups({"BIG": "y" * 100_000}))

    assert {finding.code for finding in expanded.findings} == {"GS502"}


def test_a_file_grows_only_so_far():
    """A thousand texts that each hold a large value make no gigabyte."""
    document = parse_yaml("f.yaml", "".join(f"k{n}: 'x${{BIG}}'\n" for n in range(1_000)).encode())
    expanded = expand(document, Lookups({"BIG": "y" * 900_000}), "data")

    assert sum(map(len, expanded.data.values())) < 21_000_000
    assert {finding.code for finding in expanded.findings} == {"GS502"}
