"""
The built-in `chat_model` datasource: a model by name, its fallbacks, and what its users may spend.

Only the facts and the checks of its YAML live here; models are `gsws.ai.models`, limits `gsws.ai.budget`, imported
when a project builds one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gsws.errors import EnvironmentFailure
from gsws.plugins.contract import SourceContext, SourceType

__all__ = ["ChatModelPlugin", "plugin"]

_PRICE = {
    "type": "object",
    "description": "US dollars per million tokens.",
    "properties": {
        "input": {"type": "number", "minimum": 0, "description": "Tokens sent."},
        "output": {"type": "number", "minimum": 0, "description": "Tokens answered, reasoning included."},
        "cached_input": {"type": "number", "minimum": 0, "description": "Tokens sent that the provider had cached."},
    },
    "required": ["input", "output"],
    "additionalProperties": False,
}

_BUDGET = {
    "type": "object",
    "description": "What a turn, and a subject in a UTC day, may use; 0 or left out for no limit.",
    "properties": {
        "turn_tokens": {"type": "integer", "minimum": 0, "description": "Tokens of one turn, all its model calls."},
        "day_tokens": {"type": "integer", "minimum": 0, "description": "Tokens of one subject and UTC day."},
        "turn_cost": {"type": "number", "minimum": 0, "description": "US dollars of one turn."},
        "day_cost": {"type": "number", "minimum": 0, "description": "US dollars of one subject and UTC day."},
        "path": {
            "type": ["string", "null"],
            "description": "SQLite file of the days' figures, from the project's folder; null keeps them in memory.",
        },
    },
    "additionalProperties": False,
}

_DEFAULTS: Mapping[str, Any] = {"model": "auto", "fallbacks": [], "retries": 2}

_TEXT = """\
type: chat_model
# `provider:model` of google_genai, openai, anthropic or ollama; `auto` is Google's current model if GOOGLE_API_KEY
# is set, in the environment or in `.env`, else the offline model, which quotes the documents.
model: auto
# Asked in this order when the models before failed before their first word.
fallbacks: []
# Further attempts of each model.
retries: 2
# What a turn, and a user in a day (UTC), may use.
# budget: {turn_tokens: 50000, day_tokens: 500000, day_cost: 1.0, path: data/budget.sqlite}
"""


class ChatModelPlugin:
    """Facts and factory of ``type: chat_model``."""

    type = "chat_model"
    source_type: SourceType = "datasource"
    config_file_name = "model"
    config_text = _TEXT
    default_config = _DEFAULTS

    @property
    def config_schema(self) -> Mapping[str, Any]:
        """JSON Schema of ``datasources/<name>.yaml``."""
        return {
            "type": "object",
            "properties": {
                "type": {"const": "chat_model"},
                "model": {
                    "type": ["string", "null"],
                    "description": "`provider:model`, `auto` or `offline`.",
                },
                "fallbacks": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 8,
                    "description": "Further models, asked in this order when those before failed before a first token.",
                },
                "retries": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 10,
                    "description": "Further attempts of each model before its first token.",
                },
                "api_key": {
                    "type": ["string", "null"],
                    "description": "Key of the provider; from the environment or `.env` when left out or empty.",
                },
                "base_url": {
                    "type": ["string", "null"],
                    "description": "Address of the model's API; the provider's own when left out or empty.",
                },
                "temperature": {
                    "type": ["number", "null"],
                    "minimum": 0,
                    "maximum": 2,
                    "description": "Sent only if given; newer models ignore or refuse it.",
                },
                "options": {
                    "type": "object",
                    "description": "Further keyword arguments of the provider's LangChain class.",
                },
                "budget": _BUDGET,
                "prices": {
                    "type": "object",
                    "additionalProperties": _PRICE,
                    "description": "Prices over the built-in table, by the model's name.",
                },
            },
            "additionalProperties": False,
        }

    def create(self, config: Mapping[str, Any], context: SourceContext) -> Any:
        """
        Build the model and its client, and warm it up.

        Returns:
            A `gsws.ai.models.ResilientChatModel`; its ``budget`` is what ``budget:`` declares, or None.

        Raises:
            UnknownModel: If a name is no model's.
            UnpricedModel: If money is limited and a model has no price.
            EnvironmentFailure: If a package or a key is missing, or the budget's file cannot be used.
        """
        try:
            from gsws.ai.budget import Budget
            from gsws.ai.models import chat_model, warm_up
        except ModuleNotFoundError as error:
            hint = 'pip install "gsws[ai]"'
            raise EnvironmentFailure(f"`type: chat_model` needs the package `{error.name}`: {hint}", hint) from error
        model = chat_model(
            config.get("model"),
            fallbacks=config.get("fallbacks") or (),
            retries=config.get("retries", 2),
            api_key=config.get("api_key") or None,
            base_url=config.get("base_url") or None,
            temperature=config.get("temperature"),
            environ=context.environ,
            **(config.get("options") or {}),
        )
        limits = config.get("budget")
        if limits:
            path = limits.get("path")
            if path is not None:
                path = context.base / path
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            limits = {**limits, "path": path}
            if model.offline:
                # Quotations cost nobody anything: a day of trying must not end with the day's allowance.
                limits |= {"day_tokens": 0, "day_cost": 0.0}
            try:
                model.budget = Budget(**limits, prices=config.get("prices"), models=model.specs)
            except sqlite3.Error as error:
                raise EnvironmentFailure(
                    f"the file of budgets `{path}` cannot be used: {error}",
                    "name another one as `budget.path`, or move this one away: the days' figures begin anew",
                ) from error
        warm_up(model)
        if model.offline:
            context.logger.warning("no language model is configured: answers are quotations; set GOOGLE_API_KEY")
        return model


plugin = ChatModelPlugin()
