"""
What a handler may take by name: one table for the check of signatures and for the calls.

The first positional parameter is the context whatever it is called, unless its name stands here.
"""

from __future__ import annotations

from typing import Final

__all__ = ["INJECTABLE", "LIFESPAN"]

INJECTABLE: Final[frozenset[str]] = frozenset({
    "actor", "body", "clientId", "client_id", "config", "context", "ctx", "data", "datasources", "functions",
    "inputs", "logger", "mappings", "message", "payload", "request_id", "session", "ws",
})  # fmt: skip
"""Names of parameters that gsws knows how to fill."""

LIFESPAN: Final[frozenset[str]] = frozenset(
    {"config", "context", "ctx", "datasources", "functions", "logger", "mappings"}
)
"""Those of them that ``lifespan`` may take: the ones that no message is needed for."""
