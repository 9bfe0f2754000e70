"""Counting what a turn uses when nobody limits it; with limits it is `gsws.ai.Budget`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Count"]


class Count:
    """The sum of what the provider reports; refuses nothing."""

    __slots__ = ("_input", "_model", "_output", "_total")

    def __init__(self) -> None:
        self._input = self._output = self._total = 0
        self._model: str | None = None

    @property
    def total(self) -> dict[str, Any]:
        """``{"input_tokens": int, "output_tokens": int, "total_tokens": int, "model": str | None}``"""
        return {
            "input_tokens": self._input,
            "output_tokens": self._output,
            "total_tokens": self._total,
            "model": self._model,
        }

    def text(self, delta: str) -> None:
        """Only what the provider reports is counted."""

    def usage(self, usage: Mapping[str, Any], model: str) -> None:
        """Add one model call."""
        came, went = int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0)
        self._input += came
        self._output += went
        self._total += int(usage.get("total_tokens") or came + went)
        self._model = model or self._model
