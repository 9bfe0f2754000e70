"""The shortcut past typer means what typer means."""

from __future__ import annotations

from typing import Any

import pytest

from gsws.cli import app
from gsws.cli.commands import serve, validate
from gsws.cli.fast_path import _OPTIONS, fast_command

LINES = [
    "serve",
    "serve --port 0",
    "serve --port=8123 --host 0.0.0.0 --env production",
    "serve --no-reload --workers 2 --log-format json",
    "validate",
    "validate events functions/a.py",
    "validate --format concise events",
    "validate --json",
    "validate --json --format full --env=staging",
    "validate . --fail-level warning --no-cache",
]


@pytest.mark.parametrize("line", LINES)
def test_it_means_the_same(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command gets the same arguments either way."""
    calls: list[tuple[Any, Any]] = []
    for module in (serve, validate):
        monkeypatch.setattr(module, "run", lambda *given, **named: calls.append((list(given), named)) or 0)

    plain = fast_command(line.split())
    assert plain is not None
    plain()
    app.command().main(args=line.split(), prog_name="gsws", standalone_mode=False)

    assert calls[0] == calls[1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "init x",
        "serve --help",
        "serve --prot 1",
        "serve --port",
        "serve --port eight",
        "serve --port -1",
        "serve --port 1 --port 2",
        "serve extra",
        "serve --no-reload=1",
        "validate --fix",
        "validate --explain GS201",
        "validate -- -x",
        "validate --format --json",
    ],
)
def test_the_rest_is_typers(line: str) -> None:
    """What is unusual or wrong is left to the parser that can say why."""
    assert fast_command(line.split()) is None


def test_it_knows_no_option_that_typer_does_not() -> None:
    """Every name stands in the declaration of the command."""
    commands = app.command().commands
    for name, options in _OPTIONS.items():
        declared = {option for param in commands[name].params for option in param.opts}
        assert set(options) <= declared
