"""
Tracing stays off unless a turn asks for it: an environment variable alone must not upload what users write.

The switch is a context variable of LangSmith, which LangChain reads at the start of every node and model call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langsmith.run_helpers import tracing_context

__all__ = ["tracing_as"]


@contextmanager
def tracing_as(wanted: bool) -> Iterator[None]:
    """Trace as the environment says if that is wanted, else not at all."""
    if wanted:
        yield
        return
    with tracing_context(enabled=False):
        yield
