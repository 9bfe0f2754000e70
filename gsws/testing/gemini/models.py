"""The models that the stand-in has: their names, versions and what they can do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from gsws.testing.gemini.errors import APIError, no_model, retired_model

__all__ = ["INPUT_LIMIT", "Models"]

INPUT_LIMIT: Final = 1_048_576
"""Tokens of a prompt."""

_ALIASES: Final = {
    "gemini-flash-latest": "gemini-3-flash-preview",
    "gemini-flash-lite-latest": "gemini-3.1-flash-lite",
    "gemini-pro-latest": "gemini-3.1-pro-preview",
}
_NAMES: Final = (*_ALIASES, *_ALIASES.values(), "gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001")
_RETIRED: Final = re.compile(r"gemini-(1\.|2\.0-|pro\Z|pro-vision)|embedding-001\Z|text-embedding-004\Z")
_EMBEDS: Final = ("embedContent", "batchEmbedContents")
_GENERATES: Final = ("generateContent", "streamGenerateContent", "countTokens")


class Models:
    """
    What models there are.

    Args:
        names: Exactly these; None for every name that begins with ``gemini-`` and was not shut down.
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = None if names is None else tuple(name.removeprefix("models/") for name in names)

    def refusal(self, model: str, operation: str) -> APIError | None:
        """Why a model cannot do an operation, or None."""
        if self._names is None:
            if _RETIRED.match(model):
                return retired_model(model)
            known = model.startswith("gemini-")
        else:
            known = model in self._names
        if not known or operation not in (*_methods(model), "countTokens"):
            return no_model(model, operation)
        return None

    def version(self, model: str) -> str:
        """What a model's alias stands for, as answers name it."""
        return _ALIASES.get(model, model)

    def listed(self) -> list[dict[str, Any]]:
        """All models, as ``GET /v1beta/models`` lists them."""
        return [self.described(name) for name in (self._names if self._names is not None else _NAMES)]

    def described(self, model: str) -> dict[str, Any]:
        """One model, as ``GET /v1beta/models/NAME`` describes it."""
        return {
            "name": f"models/{model}",
            "version": self.version(model),
            "displayName": model.replace("-", " ").title(),
            "description": "Local stand-in; no model is asked.",
            "inputTokenLimit": INPUT_LIMIT,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": list(_methods(model)),
        }


def _methods(model: str) -> tuple[str, ...]:
    return _EMBEDS if "embedding" in model else _GENERATES
