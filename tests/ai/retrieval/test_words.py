"""Search by words: the right passage first, and nothing for what the documents do not speak of."""

from __future__ import annotations

import pytest

from tests.ai.retrieval.support import Folder, sources

GUIDE = """# Acme guide

Acme is a service for shops.

## Refunds

Customers may return goods within thirty days. Refunds are paid to the card that was used.

## Shipping

Parcels leave the warehouse in Lisbon every morning. Express delivery takes one day.

## Rate limits

The API allows 100 requests a minute for each key. Beyond that it answers 429.

### Retries

Wait as long as `retry_after` says, then try again.
"""
INTERNALS = """# Internals

## Storage

Orders are kept in PostgreSQL. The capital letters in column names are historical.

## Configuration

Set `max_workers` in `settings.toml`. The default is four.
"""


@pytest.fixture
def index(folder: Folder):
    folder.write("guide.md", GUIDE)
    folder.write("dev/internals.md", INTERNALS)
    folder.write("de.md", "# Handbuch\n\n## Einstellungen\n\nDie Zeitüberschreitung beträgt dreißig Sekunden.\n")
    folder.write("cjk.md", "# 手册\n\n## 天气\n\n北京的天气很好。\n\n## 東京\n\n東京の天気は晴れです。\n")
    return folder.index()


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("How do I get a refund?", "guide.md#refunds"),
        ("how long can customers return something", "guide.md#refunds"),
        ("Where is the warehouse?", "guide.md#shipping"),
        ("express deliveries", "guide.md#shipping"),
        ("What happens above the rate limit?", "guide.md#rate-limits"),
        ("What does 429 mean?", "guide.md#rate-limits"),
        ("retry_after", "guide.md#retries"),
        ("how many max_workers are there by default", "dev/internals.md#configuration"),
        ("settings.toml", "dev/internals.md#configuration"),
        ("where are orders kept", "dev/internals.md#storage"),
        ("Wie lang ist die Zeitüberschreitung?", "de.md#einstellungen"),
        ("zeituberschreitung", "de.md#einstellungen"),
        ("Einstellung", "de.md#einstellungen"),
        ("北京天气怎么样", "cjk.md#天气"),
        ("東京の天気は？", "cjk.md#東京"),
    ],
)
def test_the_passage_that_answers_comes_first(index, question: str, source: str):
    assert sources(index.search(question))[:1] == [source]


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "Who won the world cup in 1998?",
        "How do I bake sourdough bread?",
        "Tell me a joke about cats",
        "Explain quantum entanglement",
        "How tall is Mount Everest?",
        "Was ist die Hauptstadt von Frankreich?",
        "上海在哪里",
        "what is it?",
        "",
        "   ",
        '"',
        "AND OR NOT NEAR(",
        "\0",
    ],
)
def test_a_question_outside_of_the_documents_has_no_passage(index, question: str):
    assert index.search(question) == []


def test_a_passage_says_where_it_stands(index):
    [first, *_] = index.search("retries after 429", k=3)
    assert first["title"].startswith("Acme guide › Rate limits")
    assert first["score"] > 0
    assert first["text"] in GUIDE


def test_scores_fall_and_k_bounds_them(index):
    found = index.search("customers requests parcels orders key card", k=2)
    assert len(found) <= 2
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


def test_a_word_of_every_chunk_does_not_decide(folder: Folder):
    """What all passages have says nothing, in whatever language."""
    for number in range(60):
        folder.write(f"{number}.md", f"# Gorbl {number}\n\ngorbl common text number {number}\n")
    folder.write("x.md", "# Zib\n\ngorbl the zibble is here\n")
    index = folder.index()
    assert sources(index.search("gorbl zibble", k=1)) == ["x.md"]
    assert index.search("gorbl unheard") == []


def test_nothing_is_found_in_an_empty_folder(folder: Folder):
    assert folder.index().search("anything") == []
