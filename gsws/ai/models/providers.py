"""
The providers: how each one's chat model is made, with one retry policy, no hidden deadlines and a wide pool.

A provider's package is imported when a model of it is asked for. Retries are ours (`gsws.ai.models.attempts`),
deadlines belong to whoever runs the graph, so both are off in the clients.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel

from gsws.ai.google import GOOGLE_KEYS, google_address
from gsws.ai.models.candidates import Candidate
from gsws.ai.models.spec import OFFLINE, ModelSpec
from gsws.errors import EnvironmentFailure

__all__ = ["MAX_CONNECTIONS", "build_candidate"]

MAX_CONNECTIONS = 1000
"""Streams of one process to one provider; httpx has 100, and the next one waits without a word."""

_KEPT_ALIVE = 50

_PACKAGES = {
    "google_genai": ("langchain_google_genai", "gsws[ai]"),
    "openai": ("langchain_openai", "langchain-openai"),
    "anthropic": ("langchain_anthropic", "langchain-anthropic"),
    "ollama": ("langchain_ollama", "langchain-ollama"),
}


def build_candidate(
    spec: ModelSpec,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    temperature: float | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Candidate:
    """
    Make the chat model of a spec; takes 40–500 ms, most of it importing, so never in a handler.

    Args:
        spec: Which.
        api_key: The provider's key; its environment variable if None.
        base_url: Where the API is; the provider's own address if None.
        temperature: Sent only if given: newer models refuse or deprecate it.
        options: Further keyword arguments of the provider's class.
        environ: Where keys and addresses are looked for; this process's environment if None.

    Raises:
        EnvironmentFailure: If the provider's package or key is missing.
        ValueError: If the provider's class refuses an argument.
    """
    if spec.provider == OFFLINE:
        from gsws.ai.models.offline import OfflineModel

        return Candidate(spec, OfflineModel())
    build = {"google_genai": _google, "openai": _openai, "anthropic": _anthropic, "ollama": _ollama}[spec.provider]
    arguments = dict(options or {})
    if temperature is not None:
        arguments["temperature"] = temperature
    return build(_Asked(spec, api_key or None, base_url or None, os.environ if environ is None else environ), arguments)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is known of a model's account."""

    spec: ModelSpec
    api_key: str | None
    base_url: str | None
    environ: Mapping[str, str]

    def key(self, *variables: str) -> str:
        """The given key or the first variable that is set."""
        for value in (self.api_key, *(self.environ.get(name) for name in variables)):
            if value and value.strip():
                return value.strip()
        hint = f"set {' or '.join(variables)}, or give `api_key`"
        raise EnvironmentFailure(f"model `{self.spec}` needs a key: {hint}", hint)

    def address(self, variable: str, default: str) -> str:
        """The given address, that of the variable, or the provider's own."""
        return self.base_url or self.environ.get(variable) or default


def _google(asked: _Asked, options: dict[str, Any]) -> Candidate:
    module = _import(asked.spec)
    import httpx  # a dependency of the client

    # langchain-google-genai sends 0.7 to models that it does not know to be new, such as the aliases.
    arguments: dict[str, Any] = {"temperature": None, "max_retries": 1, **options}
    if not _wants_vertex(arguments, asked.environ):
        arguments["api_key"] = asked.key(*GOOGLE_KEYS)
        arguments["base_url"] = google_address(asked.base_url, asked.environ)
    elif asked.base_url:
        arguments["base_url"] = asked.base_url
    # Read by the httpx backend only; the aiohttp backend, used when aiohttp is importable, has no limit.
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=_KEPT_ALIVE)
    arguments["client_args"] = {"limits": limits, **(arguments.get("client_args") or {})}
    model = module.ChatGoogleGenerativeAI(model=asked.spec.model, **arguments)
    return Candidate(asked.spec, model, close=model.aclose)


def _openai(asked: _Asked, options: dict[str, Any]) -> Candidate:
    module = _import(asked.spec)
    arguments = {"max_retries": 0, "stream_usage": True, **options}
    arguments["api_key"] = asked.key("OPENAI_API_KEY")
    base_url = asked.address("OPENAI_BASE_URL", "https://api.openai.com/v1")
    model = module.ChatOpenAI(model=asked.spec.model, base_url=base_url, **arguments)
    return Candidate(asked.spec, model, close=_closing(model, "root_async_client", "root_client"))


def _anthropic(asked: _Asked, options: dict[str, Any]) -> Candidate:
    module = _import(asked.spec)
    arguments = {"max_retries": 0, **options}
    arguments["api_key"] = asked.key("ANTHROPIC_API_KEY")
    base_url = asked.address("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    model = module.ChatAnthropic(model=asked.spec.model, base_url=base_url, **arguments)
    return Candidate(asked.spec, model)


def _ollama(asked: _Asked, options: dict[str, Any]) -> Candidate:
    module = _import(asked.spec)
    import httpx

    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=_KEPT_ALIVE)
    arguments = {"client_kwargs": {"limits": limits}, **options}
    if asked.base_url:
        arguments["base_url"] = asked.base_url
    return Candidate(asked.spec, module.ChatOllama(model=asked.spec.model, **arguments))


def _import(spec: ModelSpec) -> Any:
    """The provider's LangChain package."""
    name, requirement = _PACKAGES[spec.provider]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name:
            raise  # the package is there and misses something of its own
        hint = f'pip install "{requirement}"'
        message = f"model `{spec}` needs the package `{name.replace('_', '-')}`: {hint}"
        raise EnvironmentFailure(message, hint) from error


def _wants_vertex(options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether Google's cloud platform is asked for, which has other addresses and credentials."""
    if options.get("vertexai") is not None:
        return bool(options["vertexai"])
    if any(options.get(name) for name in ("credentials", "project")):
        return True
    return environ.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() in {"1", "true", "yes"}


def _closing(model: BaseChatModel, *clients: str) -> Callable[[], Awaitable[None]]:
    """A function that closes those of a model's clients that were made."""

    async def close() -> None:
        for name in clients:
            client = getattr(model, name, None)
            if client is not None:
                closed = client.close()
                if isinstance(closed, Awaitable):
                    await closed

    return close
