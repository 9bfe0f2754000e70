"""How each provider's model is made: its arguments, its key, its package."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import httpx
import pytest

from gsws.ai.models import UnknownModel, chat_model
from gsws.ai.models.offline import OfflineModel
from gsws.ai.models.providers import MAX_CONNECTIONS
from gsws.errors import EnvironmentFailure


class Recorded(OfflineModel):
    """A model class that notes the arguments it was made with."""

    made: Any = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(made=arguments)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOOGLE_GEMINI_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The providers' packages with classes that note their arguments."""
    for module, name in [
        ("langchain_openai", "ChatOpenAI"),
        ("langchain_anthropic", "ChatAnthropic"),
        ("langchain_ollama", "ChatOllama"),
    ]:
        stand_in = ModuleType(module)
        setattr(stand_in, name, Recorded)
        monkeypatch.setitem(sys.modules, module, stand_in)


def made(spec: str, **arguments: Any) -> dict[str, Any]:
    model: Any = chat_model(spec, **arguments).candidates[0].model
    return dict(model.made)


def test_google_s_client_has_a_wide_pool_no_retries_and_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and deadlines are ours; the pool is wider than httpx's 100."""
    monkeypatch.setenv("GEMINI_API_KEY", " k ")
    model: Any = chat_model().candidates[0].model

    assert model.model == "gemini-flash-latest"
    assert (model.max_retries, model.timeout, model.temperature) == (1, None, None)
    pool = model.client._api_client._async_httpx_client._transport._pool
    assert pool._max_connections == MAX_CONNECTIONS
    assert model.google_api_key.get_secret_value() == "k"


def test_the_key_that_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` with a key of its own needs no environment; an empty one is none."""
    model: Any = chat_model(api_key="given")
    assert model.specs == ("google_genai:gemini-flash-latest",)
    assert model.candidates[0].model.google_api_key.get_secret_value() == "given"

    assert chat_model(api_key="").offline


def test_options_reach_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the class knows can be set; what was set by default can be replaced."""
    model: Any = chat_model("google_genai", api_key="k", max_output_tokens=64, max_retries=3).candidates[0].model

    assert (model.max_output_tokens, model.max_retries) == (64, 3)


def test_other_providers_are_made_without_their_own_retries(packages: None) -> None:
    """Key, address and retries are explicit."""
    assert made("openai:gpt-6-sol", api_key="k") == {
        "model": "gpt-6-sol",
        "base_url": "https://api.openai.com/v1",
        "max_retries": 0,
        "stream_usage": True,
        "api_key": "k",
    }
    assert made("anthropic:claude-opus-5-5", api_key="k", base_url="http://here", temperature=1.0) == {
        "model": "claude-opus-5-5",
        "base_url": "http://here",
        "max_retries": 0,
        "temperature": 1.0,
        "api_key": "k",
    }
    ollama = made("ollama:llama3.2:3b", base_url="http://localhost:11434")
    assert ollama.pop("client_kwargs")["limits"] == httpx.Limits(max_connections=1000, max_keepalive_connections=50)
    assert ollama == {"model": "llama3.2:3b", "base_url": "http://localhost:11434"}


def test_fallbacks_of_the_same_provider_share_key_and_address(packages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another provider have their own, from the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "theirs")
    model = chat_model(
        "openai:gpt-6-sol",
        fallbacks=["openai:gpt-6-luna", "anthropic:claude-opus-5-5"],
        api_key="ours",
        base_url="http://here",
        seed=1,
    )
    arguments: list[Any] = [each.model.made for each in model.candidates]  # type: ignore[attr-defined]

    assert [(each["api_key"], each["base_url"], each.get("seed")) for each in arguments] == [
        ("ours", "http://here", 1),
        ("ours", "http://here", 1),
        ("theirs", "https://api.anthropic.com", None),
    ]
    assert model.specs == ("openai:gpt-6-sol", "openai:gpt-6-luna", "anthropic:claude-opus-5-5")


@pytest.mark.parametrize(
    ("spec", "variable"),
    [
        ("google_genai:gemini-flash-latest", "GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("openai:gpt-6-sol", "OPENAI_API_KEY"),
        ("anthropic:claude-opus-5-5", "ANTHROPIC_API_KEY"),
    ],
)
def test_a_named_model_without_a_key_is_an_error(packages: None, spec: str, variable: str) -> None:
    """Only `auto` means the offline model; the message says which variable to set."""
    with pytest.raises(EnvironmentFailure) as caught:
        chat_model(spec)

    assert str(caught.value) == f"model `{spec}` needs a key: set {variable}, or give `api_key`"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
def test_a_provider_that_is_not_installed_says_how_to_install_it(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the command."""
    monkeypatch.setitem(sys.modules, f"langchain_{provider}", None)  # what an import then finds: nothing

    with pytest.raises(EnvironmentFailure) as caught:
        chat_model(f"{provider}:some-model", api_key="k")

    hint = f'pip install "langchain-{provider}"'
    assert str(caught.value) == f"model `{provider}:some-model` needs the package `langchain-{provider}`: {hint}"
    assert caught.value.help == hint


def test_the_offline_model_is_no_fallback() -> None:
    """It would hide a refused key behind quotations."""
    with pytest.raises(UnknownModel, match="the offline model cannot be a fallback"):
        chat_model("google_genai", api_key="k", fallbacks=["offline"])


def test_negative_retries_are_refused() -> None:
    """The message says what is allowed."""
    with pytest.raises(ValueError, match="`retries` is -1; it is 0 or more"):
        chat_model("offline", retries=-1)


def test_without_a_key_the_model_is_the_offline_one() -> None:
    """Plainly labelled: by its name and its property."""
    model = chat_model()

    assert model.offline
    assert model.specs == ("offline",)
