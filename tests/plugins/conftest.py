from __future__ import annotations

from tests.cli.conftest import _starter, starter

__all__ = ["_starter", "starter"]
