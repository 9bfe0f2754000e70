"""Names of models: what they mean, and what a wrong one is told."""

from __future__ import annotations

import pytest

from gsws.ai.models.spec import DEFAULT_GOOGLE_MODEL, ModelSpec, UnknownModel, parse_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("google_genai:gemini-flash-latest", ModelSpec("google_genai", "gemini-flash-latest")),
        ("google_genai", ModelSpec("google_genai", DEFAULT_GOOGLE_MODEL)),
        (" openai : gpt-6-sol ", ModelSpec("openai", "gpt-6-sol")),
        ("ollama:llama3.2:3b", ModelSpec("ollama", "llama3.2:3b")),
        ("offline", ModelSpec("offline", "")),
    ],
)
def test_a_name_is_provider_and_model(text: str, spec: ModelSpec) -> None:
    """The first colon divides; a provider's own colons stay."""
    assert parse_spec(text, {}) == spec


@pytest.mark.parametrize("text", [None, "", "auto"])
@pytest.mark.parametrize(
    ("environ", "spec"),
    [
        ({}, "offline"),
        ({"GOOGLE_API_KEY": " "}, "offline"),
        ({"OPENAI_API_KEY": "k"}, "offline"),
        ({"GOOGLE_API_KEY": "k"}, f"google_genai:{DEFAULT_GOOGLE_MODEL}"),
        ({"GEMINI_API_KEY": "k"}, f"google_genai:{DEFAULT_GOOGLE_MODEL}"),
    ],
)
def test_without_a_name_the_key_decides(text: str | None, environ: dict[str, str], spec: str) -> None:
    """A Google key means Google's current model; none means the offline model."""
    assert str(parse_spec(text, environ)) == spec


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("gogle_genai:gemini-flash-latest", "did you mean `google_genai`?"),
        ("gogle:gemini-flash-latest", "did you mean `google_genai`?"),
        ("gemini:gemini-flash-latest", "did you mean `google_genai`?"),
        ("claude:claude-opus-5-5", "did you mean `anthropic`?"),
        ("olama:llama3.2", "did you mean `ollama`?"),
        ("gemini-flash-latest", "did you mean `google_genai:gemini-flash-latest`?"),
        ("gpt-6-sol", "did you mean `openai:gpt-6-sol`?"),
        ("claude-opus-5-5", "did you mean `anthropic:claude-opus-5-5`?"),
        ("offlin", "did you mean `offline`?"),
        ("openai:", "write `openai:MODEL`"),
        ("anthropic", "write `anthropic:MODEL`"),
        ("zzz:x", "providers: google_genai, openai, anthropic, ollama"),
        (":x", "providers: google_genai, openai, anthropic, ollama"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(text: str, advice: str) -> None:
    """The message names what was found and what to write."""
    with pytest.raises(UnknownModel) as caught:
        parse_spec(text, {})

    assert advice in str(caught.value)
    assert f"`{text}`" in str(caught.value) or text.partition(":")[0] in str(caught.value)
