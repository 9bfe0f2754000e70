"""
Chat models by ``provider:model``, asked again before their first token and followed by fallbacks; and the offline one.

May import `google`, and of `retrieval` the words that say nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gsws.ai.models.attempts import RetryPolicy
from gsws.ai.models.providers import build_candidate
from gsws.ai.models.resilient import ResilientChatModel
from gsws.ai.models.spec import OFFLINE, ModelSpec, UnknownModel, parse_spec
from gsws.ai.models.warming import warm_up

__all__ = [
    "ModelSpec",
    "ResilientChatModel",
    "RetryPolicy",
    "UnknownModel",
    "chat_model",
    "parse_spec",
    "warm_up",
]


def chat_model(
    spec: str | None = None,
    *,
    fallbacks: Sequence[str] = (),
    retries: int = 2,
    api_key: str | None = None,
    base_url: str | None = None,
    temperature: float | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> ResilientChatModel:
    """
    Make a chat model; once a process, never in a handler: it imports and builds a client (40–500 ms).

    Without a key there is no error but the offline model, and only then: a key that the provider refuses is
    an error of the call.

    Args:
        spec: ``provider:model`` of ``google_genai``, ``openai``, ``anthropic`` or ``ollama``; ``offline``; None
            or ``auto`` for Google's default model if GOOGLE_API_KEY or GEMINI_API_KEY is set (or ``api_key`` is
            given), else ``offline``.
        fallbacks: Further models, asked in this order when the ones before failed before their first token.
        retries: Further attempts of each model before its first token.
        api_key: Key of ``spec``'s provider; its environment variable if None. Fallbacks of another provider
            take theirs from the environment.
        base_url: Address of ``spec``'s API; the provider's own if None.
        temperature: Sent only if given.
        environ: Where keys and addresses are looked for; this process's environment if None.
        **options: Further keyword arguments of the class of ``spec``, e.g. ``max_output_tokens``.

    Raises:
        UnknownModel: If a name is not ``provider:model``; with a suggestion.
        EnvironmentFailure: If a provider's package or key is missing; with what to do.
        ValueError: If the provider's class refuses an option.
    """
    if retries < 0:
        raise ValueError(f"`retries` is {retries}; it is 0 or more")
    environ = os.environ if environ is None else environ
    parsed = parse_spec(spec, {"GOOGLE_API_KEY": api_key} if api_key else environ)
    following = [parse_spec(each, environ) for each in fallbacks]
    if any(each.provider == OFFLINE for each in following):
        # It would hide a refused key or an outage behind quotations.
        raise UnknownModel("the offline model cannot be a fallback; leave it out, or choose `offline` itself")
    # The same account serves another model of the same provider.
    build = partial(
        build_candidate, api_key=api_key, base_url=base_url, temperature=temperature, options=options, environ=environ
    )
    first = build(parsed)
    others = [
        build(each) if each.provider == parsed.provider else build_candidate(each, environ=environ)
        for each in following
    ]
    return ResilientChatModel(candidates=(first, *others), policy=RetryPolicy(retries=retries))
