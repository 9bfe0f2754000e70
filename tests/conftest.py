"""The order of the tests: files that wait long for browsers, clients and commands come first, not last and alone."""

from __future__ import annotations

import pytest

FIRST = ("e2e", "client", "docs", "deploy", "cli", "ai", "testing", "runtime")
"""Folders by how long their longest file takes; what is not named here is quick."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder; within one the order stays."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=rank)
