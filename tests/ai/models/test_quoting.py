"""Which sentences are quoted, and that every bound holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsws.ai.models.quoting import MOST_CHARACTERS, content_words, quote


def passage(text: str, source: str = "a.md", **facts: str) -> dict[str, str]:
    return {"text": text, "source": source, **facts}


def test_the_sentence_that_shares_most_with_the_question_is_quoted() -> None:
    """Others of the passage are left out."""
    text = "Bananas are yellow. The drain time is ten seconds by default. Apples are red."

    assert quote("What is the default drain time?", [passage(text)]) == (
        "> The drain time is ten seconds by default. [1]\n\nSources:\n- [1] a.md"
    )


def test_quotations_stand_in_reading_order() -> None:
    """However well each fits, the first sentence comes first."""
    text = "A model may pause. Unrelated words here. A retry of a model doubles its pause each time."

    quoted = quote("How does a model retry and pause?", [passage(text)])

    assert quoted.index("A model may pause") < quoted.index("doubles its pause")


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_code_comes_whole_after_the_sentence_that_introduces_it(fence: str) -> None:
    """Blank lines and comment signs inside belong to it."""
    code = f"{fence}yaml\n# a comment\n\nmodel: auto\n{fence}"
    text = f"Unrelated.\n\nDeclare the model in a file:\n\n{code}\n\nUnrelated again."

    assert f"> Declare the model in a file: [1]\n\n{code}\n\n[1]" in quote("How do I declare a model?", [passage(text)])


def test_code_longer_than_the_bound_is_left_out() -> None:
    """Half a code block would be wrong code."""
    code = "```\n" + "x = 1\n" * 1000 + "```"

    quoted = quote("set x", [passage(f"Set x so:\n\n{code}")])

    assert "x = 1" not in quoted
    assert "> Set x so: [1]" in quoted


def test_a_passage_that_ends_inside_code_is_closed() -> None:
    """The rest of the answer is not swallowed by an open fence."""
    assert quote("run serve", [passage("Run:\n\n```sh\ngsws serve")]).count("```") == 2


def test_list_items_are_sentences_of_their_own() -> None:
    """Without their bullet."""
    text = "- `retries` says how often\n- `model` says which\n1. first"

    assert quote("what does retries say", [passage(text)]).startswith("> `retries` says how often [1]")


def test_code_that_is_quoted_brings_its_introduction() -> None:
    """A block that fits by its own words does not stand there without a word."""
    text = "Unrelated.\n\nPut this into the file:\n\n```yaml\nretries: 2\n```"

    assert quote("retries", [passage(text)]).startswith("> Put this into the file: [1]\n\n```yaml\nretries: 2\n```")


def test_rows_of_a_table_are_quoted_with_its_head() -> None:
    """The head says what the cells mean, and is never quoted as if it were a fact."""
    text = "| code | when |\n|:--|--:|\n| 4408 | no answer to a ping |\n| 4429 | too many requests |"

    assert quote("What is 4429?", [passage(text)]).startswith(
        "> | code | when |\n> | --- | --- |\n> | 4429 | too many requests |\n\n[1]\n\nSources"
    )
    assert quote("code when", [passage(text)]).count("| code | when |") == 1


def test_cells_may_hold_a_bar() -> None:
    text = "| field | type |\n|---|---|\n| `size` | `int \\| null` |"

    assert "> | `size` | `int | null` |" in quote("size", [passage(text)])


def test_links_are_their_text() -> None:
    """A path from one page is none from another."""
    quoted = quote("retries", [passage("Retries: see [the policy of retries](../a/b.md#c) and ![a picture](x.png).")])

    assert "> Retries: see the policy of retries and a picture. [1]" in quoted


def test_a_sentence_that_only_refers_elsewhere_gives_way() -> None:
    """The page itself says more than a link to it."""
    refers, says = passage("See [how retries pause](b.md)."), passage("Retries pause for half a second.", "b.md")
    many = [passage(f"Retries pause {number} seconds in case {number}.", "c.md") for number in range(6)]

    quoted = quote("How do retries pause?", [refers, says, *many])

    assert "Retries pause for half a second." in quoted
    assert "See how retries pause" not in quoted


def test_the_title_of_a_passage_counts() -> None:
    """What a section is about is often said in its heading only."""
    texts = [passage("It takes a minute and prints ratios.", title="Run the benchmarks"), passage("Run away.", "b.md")]

    assert quote("How do I run the benchmarks?", texts).startswith(
        "> **Run the benchmarks**: It takes a minute and prints ratios. [1]"
    )


def test_a_name_that_stands_in_a_heading_alone_is_answered() -> None:
    """The first sentences below it are what it means; others only use it."""
    texts = [
        passage("A run prints `E17` beside the line.", "b.md", title="Output"),
        passage("The disk is full. Free some space. Unrelated.", title="Errors › E17: no space left"),
    ]

    assert quote("What does E17 mean?", texts).startswith(
        "> **E17: no space left**: The disk is full. Free some space. [2]"
    )


def test_a_definition_comes_before_a_detail() -> None:
    """Also if the detail stands in a better passage."""
    texts = [
        passage("The frobnicator restarts at midnight. Ask the frobnicator twice.", title="Frobnicator › Upkeep"),
        passage("Bolts are grey. A frobnicator is a device that turns bolts.", "b.md", title="Parts"),
    ]

    assert quote("What is a frobnicator?", texts).startswith("> A frobnicator is a device that turns bolts. [2]")


def test_an_answer_does_not_begin_with_bare_code() -> None:
    """A heading introduces code that no sentence does."""
    quoted = quote("frob keys", [passage("```sh\nfrob keys add\n```", title="Commands › frob keys")])

    assert quoted.startswith("> frob keys: [1]\n\n```sh\nfrob keys add\n```")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("does frob support Docker?", "Editors that frob supports: Vim. Editor support comes with frob."),
        ("How do I deploy frob to the moon?", "Start frob with `frob serve`. A reload needs no restart of frob."),
        ("automobile", "Cars have wheels. They drive."),
    ],
)
def test_what_is_not_there_is_not_answered(question: str, text: str) -> None:
    """A passage that shares only the common words of a question has no answer to it."""
    assert quote(question, [passage(text), passage("Frob is a tool.", "b.md")]) == ""


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Wie funktioniert Frob?", "Frob is a tool that frobs."),
        ("東京の天気は？", "東京は晴れ。"),
        ("containers", "It runs in a container."),
        ("Dockerfile", "Build it with a Dockerfile."),
    ],
)
def test_other_languages_and_forms_are_answered(question: str, text: str) -> None:
    assert text.rstrip("。") in quote(question, [passage(text)])


def test_headings_are_not_quoted() -> None:
    """They are the title's business."""
    assert "# Retries" not in quote("retries", [passage("# Retries\n\nRetries are bounded.")])


def test_a_sentence_found_twice_is_quoted_once() -> None:
    """Overlapping passages repeat themselves."""
    text = "The moon is far."

    assert quote("moon far", [passage(text), passage(text, "b.md")]).count("The moon is far.") == 1


def test_the_title_stands_beside_the_source() -> None:
    """Unless it says the same."""
    assert quote("moon", [passage("The moon.", title="Sky")]).endswith("- [1] a.md (Sky)")
    assert quote("moon", [passage("The moon.", title="a.md")]).endswith("- [1] a.md")


def test_no_text_gives_no_quotation() -> None:
    """Nothing is made up."""
    assert quote("moon", []) == ""
    assert quote("moon", [passage("  \n\n"), passage("# Only a heading")]) == ""


def test_words_meet_in_their_forms() -> None:
    """Enough of a stem for a word to be found in another form."""
    for one, other in [("cancelled", "cancel"), ("queries", "query"), ("retries", "retry"), ("installing", "install")]:
        assert content_words(one) == content_words(other)
    assert content_words("What is the of and") == []


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=3000), max_size=4))
def test_any_text_is_quoted_within_the_bounds(question: str, texts: list[str]) -> None:
    """No passage breaks it, and no answer is longer than a few quotations."""
    quoted = quote(question, [passage(text) for text in texts])

    assert len(quoted) <= MOST_CHARACTERS + 300
    assert bool(quoted) == (quoted.count("Sources:\n- [") >= 1)


def test_a_long_passage_is_quoted_in_time() -> None:
    """A hundred kilobytes of passages are some thousand sentences, not a minute of work."""
    texts = ["The model retries. " * 300 for _ in range(20)]

    assert quote("Which model retries?", [passage(text) for text in texts]).startswith("> The model retries. [1]")


def test_a_heading_counts_for_the_sentences_under_it():
    """A sentence under *How it works* need not say again what it is about."""
    passages = [
        {
            "text": "Each node reads the state.\nEdges say which comes next.",
            "source": "a.md",
            "title": "Graphs › How they work",
        },
        {"text": "Graphs are drawn with a pen.", "source": "b.md", "title": "Pens"},
    ]
    assert "> Each node reads the state. Edges say which comes next. [1]" in quote("How do graphs work?", passages)


def test_sentences_that_follow_each_other_are_one_quotation():
    passages = [{"text": "Tea is hot. Tea is green. The sky is blue. Tea is cheap.", "source": "tea.md"}]
    assert quote("What is tea?", passages).startswith("> Tea is hot. Tea is green. [1]\n\n> Tea is cheap. [1]\n")
