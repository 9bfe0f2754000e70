"""
The pytest plugin: fixtures that serve the project under test, and a stand-in of the Gemini API.

pytest imports this in every run of whoever has gsws installed, so it imports nothing of gsws before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gsws.testing.gemini.fake import FakeGemini
    from gsws.testing.project import ServedProject

__all__ = ["fake_gemini", "gsws_project", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "gsws(path, env='development', timeout=5.0): which project `gsws_project` serves, and how"
    )


@pytest.fixture
def gsws_project(request: pytest.FixtureRequest) -> Iterator[ServedProject]:
    """
    The project that the test lies in, served until the test ends.

    ``@pytest.mark.gsws("path")`` names another one, relative to pytest's root directory.
    """
    from gsws.testing.project import serve

    marker = request.node.get_closest_marker("gsws")
    arguments = marker.args if marker is not None else ()
    options = dict(marker.kwargs) if marker is not None else {}
    path = Path(options.pop("path", arguments[0] if arguments else request.path.parent))
    with serve(request.config.rootpath / path, **options) as project:
        yield project


@pytest.fixture
def fake_gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGemini]:
    """
    A stand-in of the Gemini API for the time of one test; the environment sends Google's clients there.

    Ask for it before `gsws_project`, whose model is built when the project is served.
    """
    from gsws.testing.gemini.fake import FakeGemini

    with FakeGemini() as gemini:
        for name, value in gemini.env.items():
            monkeypatch.setenv(name, value)
        yield gemini
