"""From questions to terms: quoted, without stop words, in every script."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsws.ai.retrieval.query import MAX_TERMS, indexed, terms_of


def matches(question: str) -> list[str]:
    return [term.match for term in terms_of(question)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the timeout of a request?", ['"timeout"', '"request"']),
        ("What's the server's port, and don't you know?", ['"server"', '"port"', '"know"']),
        ("on_disconnect or stream.end?", ['"on disconnect"', '"stream end"']),
        ("Wie hoch ist die Frist?", ['"hoch"', '"frist"']),
        ("Où est la gare ?", ['"gare"']),
        ("GS215 GS215 gs215", ['"gs215"']),
        ('"quoted" AND (x* OR NEAR(y z))', ['"quoted"', '"near"']),
        ("what is it?", []),
        ("", []),
        ("?!… — ()", []),
        ("北京的天气怎么样", ['"北 京"', '"天 气"']),
        ("東京の天気は？", ['"東 京"', '"天 気"']),
        ("हिन्दी भाषा", ['"हिन्दी"', '"भाषा"']),
        ("ＷｅｂＳｏｃｋｅｔ", ['"websocket"']),
    ],
)
def test_a_question_becomes_the_terms_that_it_is_about(question: str, expected: list[str]):
    assert matches(question) == expected


def test_a_phrase_has_its_parts_for_when_it_is_nowhere():
    [term] = terms_of("client/server")
    assert [part.match for part in term.parts] == ['"client"', '"server"']


def test_generic_words_weigh_little():
    weights = {term.match: term.weight for term in terms_of("configure retries")}
    assert weights['"configure"'] < weights['"retries"']


def test_a_long_question_is_bounded():
    assert len(matches(" ".join(f"word{number}" for number in range(5000)))) == MAX_TERMS


def test_chinese_characters_are_indexed_one_by_one():
    assert indexed("在北京ok").split() == ["在", "北", "京", "ok"]
    assert indexed("plain text") == "plain text"


@given(st.text(max_size=200))
def test_no_question_is_an_error_of_the_search_language(question: str):
    """Quotes, operators, NUL, surrogates of any script: FTS5 takes every term."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        for term in terms_of(question):
            for match in filter(None, (term.match, term.prefix, *(part.match for part in term.parts))):
                connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,)).fetchall()
    finally:
        connection.close()
