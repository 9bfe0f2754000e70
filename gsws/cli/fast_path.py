"""
The shortcut of `gsws serve` and `gsws validate`: their usual arguments, read without typer.

typer brings pydantic along and takes a tenth of a second, which is a quarter of the start of a small service. What is
not understood here at first sight (help, a typo, an abbreviation, a repeated option) is left to typer, which also has
the last word on what an option means: a test holds the two against each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["fast_command"]

_OPTIONS: Final[Mapping[str, Mapping[str, type]]] = {
    "serve": {
        "--host": str,
        "--port": int,
        "--env": str,
        "--no-reload": bool,
        "--workers": int,
        "--log-format": str,
    },
    "validate": {
        "--format": str,
        "--env": str,
        "--fail-level": str,
        "--no-cache": bool,
        "--json": bool,
    },
}


def fast_command(arguments: Sequence[str]) -> Callable[[], int] | None:
    """What to run for these arguments; None if typer must read them."""
    if not arguments or arguments[0] not in _OPTIONS or "_GSWS_COMPLETE" in os.environ:
        return None
    read = _read(arguments[1:], _OPTIONS[arguments[0]])
    if read is None:
        return None
    options, paths = read
    if arguments[0] == "validate":
        return lambda: _validate(options, paths)
    return None if paths else lambda: _serve(options)


def _read(arguments: Sequence[str], known: Mapping[str, type]) -> tuple[dict[str, Any], list[str]] | None:
    options: dict[str, Any] = {}
    rest: list[str] = []
    pending = list(reversed(arguments))
    while pending:
        word = pending.pop()
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        kind = known.get(name)
        if kind is None or name in options:
            return None
        if kind is bool:
            if equals:
                return None
            options[name] = True
            continue
        if not equals:
            if not pending or pending[-1].startswith("-"):
                return None
            value = pending.pop()
        if kind is int:
            if not (value.isascii() and value.isdigit() and len(value) < 10):
                return None
            options[name] = int(value)
        else:
            options[name] = value
    return options, rest


def _serve(options: Mapping[str, Any]) -> int:
    from gsws.cli.commands import serve

    return serve.run(
        host=options.get("--host"),
        port=options.get("--port"),
        env=options.get("--env"),
        reload="--no-reload" not in options,
        workers=options.get("--workers", 1),
        log_format=options.get("--log-format"),
    )


def _validate(options: Mapping[str, Any], paths: Sequence[str]) -> int:
    from gsws.cli.commands import validate

    format = options.get("--format")
    return validate.run(
        [Path(path) for path in paths],
        validate.Options(
            format="json" if "--json" in options and format is None else format,
            env=options.get("--env", "development"),
            fail_level=options.get("--fail-level", "error"),
            cache="--no-cache" not in options,
        ),
    )
