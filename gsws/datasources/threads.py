"""
The built-in ``threads`` datasource: an agent's memory, declared in ``datasources/threads.yaml``.

Facts and factory only; what is made is `gsws.ai.threads`', which is imported when a project asks for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Final

from gsws.plugins.contract import SourceContext, SourceType
from gsws.project.shapes.units import duration

if TYPE_CHECKING:
    from gsws.ai.threads import ThreadStore

__all__ = ["ThreadsPlugin", "plugin"]

_DEFAULTS: Final[Mapping[str, Any]] = {
    "type": "threads",
    "url": "sqlite:///.gsws/threads.sqlite",
    "expire_after": "30d",
    "keep": 1000,
}

_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A gsws datasource of type threads",
    "type": "object",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "type": {"const": "threads"},
        "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 4096,
            "x-gsws-secret": True,
            "description": "sqlite:///path, postgresql://user:password@host/database, or memory:",
        },
        "expire_after": {
            "x-gsws-kind": "duration",
            "description": "how long after its last turn a thread is deleted; 0 is never",
        },
        "keep": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1_000_000_000,
            "description": "how many threads of a subject stay, the last used ones; 0 is all",
        },
    },
}

_TEXT: Final = """\
# What conversations said, kept between turns and restarts: ctx.datasources.threads.
type: threads
url: sqlite:///.gsws/threads.sqlite     # or postgresql://user@host/database, with `pip install "gsws[ai,postgres]"`
expire_after: 30d                       # after its last turn a thread is deleted; 0 is never
keep: 1000                              # threads of one user that stay, the last used ones; 0 is all
"""


class ThreadsPlugin:
    """Facts and factory of ``type: threads``."""

    type = "threads"
    source_type: SourceType = "datasource"
    config_file_name = "threads"
    default_config = _DEFAULTS
    config_schema = _SCHEMA
    config_text = _TEXT

    def create(self, config: Mapping[str, Any], context: SourceContext) -> Awaitable[ThreadStore]:
        """
        Open the store of one file; a relative path starts in the folder that holds ``events/``.

        Raises:
            ThreadStoreError: When awaited, if the store cannot be used.
        """
        from gsws.ai.threads import ThreadStore

        return ThreadStore.open(
            config["url"],
            base=context.base,
            expire_after=duration(config["expire_after"]) or 0.0,
            keep=config["keep"],
            logger=context.logger,
        )


plugin = ThreadsPlugin()
