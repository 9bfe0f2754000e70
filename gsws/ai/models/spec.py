"""
The name of a model, ``provider:model``: read, completed and checked.

Nothing here imports a provider; making the model is `gsws.ai.models.providers`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from gsws.ai.google import GOOGLE_KEYS

__all__ = ["DEFAULT_GOOGLE_MODEL", "OFFLINE", "PROVIDERS", "ModelSpec", "UnknownModel", "parse_spec"]

OFFLINE = "offline"
"""The provider, and the whole name, of the model that needs no key and no network."""

DEFAULT_GOOGLE_MODEL = "gemini-flash-latest"
"""An alias that Google keeps pointing at the current model: dated names are shut down about a year on."""

PROVIDERS = ("google_genai", "openai", "anthropic", "ollama")

# What people write instead, besides slips of the pen.
_MEANT = {
    "azure": "openai",
    "chatgpt": "openai",
    "claude": "anthropic",
    "gemini": "google_genai",
    "genai": "google_genai",
    "google": "google_genai",
    "google_vertexai": "google_genai",
    "gpt": "openai",
    "llama": "ollama",
    "vertexai": "google_genai",
}


class UnknownModel(ValueError):
    """A model's name that does not name a provider and a model; the message says what to write."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """
    A model of a provider.

    Attributes:
        provider: One of `PROVIDERS`, or `OFFLINE`.
        model: The provider's name for it, which may hold colons (``llama3.2:3b``); empty for `OFFLINE`.
    """

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider


def parse_spec(text: str | None, environ: Mapping[str, str] | None = None) -> ModelSpec:
    """
    Read ``provider:model``.

    None, the empty text and ``auto`` are the default Google model if a key for it is set, else the offline
    model; ``google_genai`` alone is its default model.

    Args:
        text: What a project wrote.
        environ: Where keys are looked for; this process's environment if None.

    Raises:
        UnknownModel: With the nearest provider, or what is missing.
    """
    environ = os.environ if environ is None else environ
    name = (text or "").strip()
    if name in {"", "auto"}:
        keyed = any(environ.get(key, "").strip() for key in GOOGLE_KEYS)
        return ModelSpec("google_genai", DEFAULT_GOOGLE_MODEL) if keyed else ModelSpec(OFFLINE, "")
    if name == OFFLINE:
        return ModelSpec(OFFLINE, "")
    provider, colon, model = (part.strip() for part in name.partition(":"))
    if provider not in PROVIDERS:
        raise UnknownModel(_unknown(name, provider, bool(colon)))
    if not model:
        if provider == "google_genai":
            return ModelSpec(provider, DEFAULT_GOOGLE_MODEL)
        raise UnknownModel(f"model `{name}` names no model; write `{provider}:MODEL`")
    return ModelSpec(provider, model)


def _unknown(name: str, provider: str, with_colon: bool) -> str:
    """What is wrong with a name whose first part is no provider."""
    known = f"providers: {', '.join(PROVIDERS)}; or `auto`, `{OFFLINE}`"
    near = _MEANT.get(provider.lower())
    if near is None:
        found = get_close_matches(provider.lower(), (*PROVIDERS, "auto", OFFLINE, *_MEANT), n=1, cutoff=0.75)
        near = _MEANT.get(found[0], found[0]) if found else None
    if with_colon:
        what = f"unknown model provider `{provider}` in `{name}`"
        return f"{what}; did you mean `{near}`? {known}" if near else f"{what}; {known}"
    if near in {"auto", OFFLINE}:
        return f"unknown model `{name}`; did you mean `{near}`?"
    # `gpt-5`, `claude-…`, `gemini-…`: a model without its provider.
    owner = near or next((whose for word, whose in _MEANT.items() if provider.lower().startswith(word)), None)
    meant = f"; did you mean `{owner}:{name}`?" if owner and owner != near else ""
    meant = meant or (f"; did you mean `{near}:MODEL`?" if near else "")
    return f"model `{name}` has no provider; write `provider:model`{meant} {known}"
