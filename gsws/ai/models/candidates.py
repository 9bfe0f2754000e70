"""A model of a provider as the resilient model holds it: with its name, its bound arguments and its closing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from gsws.ai.models.spec import ModelSpec

__all__ = ["Candidate"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    One model that may be asked.

    Attributes:
        spec: Its name.
        model: The provider's chat model.
        arguments: What `bind_tools` of that model bound, in the provider's own format.
        close: Closes its connections; None if there is nothing to close.
    """

    spec: ModelSpec
    model: BaseChatModel
    arguments: Mapping[str, Any] = field(default_factory=dict)
    close: Callable[[], Awaitable[None]] | None = None

    def bound(self, tools: Any, **options: Any) -> Candidate:
        """This candidate with tools bound by its model's own `bind_tools`."""
        binding = self.model.bind_tools(tools, **options)
        if not isinstance(binding, RunnableBinding) or not isinstance(binding.bound, BaseChatModel):
            raise TypeError(f"`{type(self.model).__name__}.bind_tools` does not give a binding of a chat model")
        return replace(self, model=binding.bound, arguments={**self.arguments, **binding.kwargs})

    def merged(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of one call: what was bound, then what the call says."""
        return {**self.arguments, **arguments}
