"""Gemini's embedding model as an `Embedder`; langchain and the Gemini client are imported when one is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from gsws.ai.google import GOOGLE_KEYS, google_address
from gsws.errors import EnvironmentFailure

if TYPE_CHECKING:
    from gsws.ai.retrieval.protocol import Embedder

__all__ = ["gemini_embeddings"]

DEFAULT_MODEL: Final = "gemini-embedding-001"
_SECONDS: Final = 30.0


def gemini_embeddings(
    model: str = DEFAULT_MODEL,
    *,
    dimensions: int | None = 768,
    api_key: str | None = None,
    base_url: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Embedder:
    """
    Make Gemini's embedding model.

    Args:
        dimensions: Length of the vectors; None for the model's own. Shorter ones cost less memory.
        api_key: Default: ``GOOGLE_API_KEY`` or ``GEMINI_API_KEY`` of the environment.
        base_url: Default: ``GOOGLE_GEMINI_BASE_URL`` of the environment, else the public address.
        environ: The environment; this process's if None.

    Raises:
        EnvironmentFailure: If the extra ``ai`` is not installed, or there is no key.
    """
    try:
        from langchain_google_genai import GoogleGenerativeAIEmbeddings
        from pydantic import SecretStr
    except ImportError:
        raise EnvironmentFailure("embeddings need the extra `ai`", 'pip install "gsws[ai]"') from None
    environ = os.environ if environ is None else environ
    key = next(filter(None, (api_key, *(environ.get(name) for name in GOOGLE_KEYS))), None)
    if not key:
        raise EnvironmentFailure(
            "the embedding model needs a key",
            "set GOOGLE_API_KEY, or remove `embeddings` to search by words alone",
        )
    made = GoogleGenerativeAIEmbeddings(
        model=model,
        api_key=SecretStr(key),
        output_dimensionality=dimensions,
        base_url=google_address(base_url, environ),
        vertexai=False,
        client_args={"timeout": _SECONDS},
    )
    return cast("Embedder", made)
