from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ai.retrieval.support import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An empty folder of documents; its indexes are closed at the end."""
    made = Folder(tmp_path)
    yield made
    made.close()
