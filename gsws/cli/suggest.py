"""Suggestions for a mistyped word, as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gsws.diagnostics.suggest import nearest

__all__ = ["did_you_mean", "instead_of_command", "instead_of_option"]

_CODE: Final = re.compile(r"GS\d{3}", re.IGNORECASE)

_ELSEWHERE: Final[Mapping[str, Mapping[str, str]]] = {
    "gsws": {
        "dev": "serve", "run": "serve", "start": "serve", "up": "serve", "watch": "serve", "server": "serve",
        "runserver": "serve", "develop": "serve",
        "create": "init", "scaffold": "init", "startproject": "init", "create-project": "init",
        "add": "plugin add", "install": "plugin add", "plugins": "plugin list", "remove": "plugin remove",
        "uninstall": "plugin remove",
        "check": "validate", "lint": "validate", "verify": "validate", "fix": "validate --fix",
        "fmt": "validate --fix", "format": "validate --fix", "watch-check": "validate --watch",
        "send": "call", "emit": "call", "request": "call", "invoke": "call", "ask": "call", "chat": "call",
        "routes": "events", "list": "events", "ls": "events", "show": "events", "event": "new event",
        "generate": "new", "g": "new", "make": "new", "function": "new function", "key": "keys", "apikey": "keys",
        "token": "keys", "thread": "threads", "conversations": "threads", "mock": "fake-gemini",
        "reindex": "index", "ingest": "index", "schemas": "schema",
    },
    "gsws plugin": {"install": "add", "i": "add", "uninstall": "remove", "rm": "remove", "delete": "remove",
                    "ls": "list", "show": "info"},
    "gsws keys": {"create": "add", "new": "add", "make": "add", "generate": "add", "ls": "list", "show": "list",
                  "delete": "revoke", "remove": "revoke", "rm": "revoke"},
    "gsws new": {"handler": "function", "route": "event", "eventsource": "source", "websocket": "source",
                 "fn": "function"},
    "gsws threads": {"ls": "list", "show": "list", "rm": "delete", "remove": "delete", "clear": "delete",
                     "purge": "expire", "prune": "expire"},
}  # fmt: skip
"""Words that other tools use, for each group of commands, and what they are here."""

_TESTS: Final = "`pytest` runs a project's tests; `gsws validate` checks its files"
_STATE: Final = "there is none; a served project answers `GET /readyz` with whether it takes messages"
_LOGS: Final = "there is none; `gsws serve` writes them where it runs"

_OTHERWISE: Final[Mapping[str, str]] = {
    "test": _TESTS, "tests": _TESTS, "pytest": _TESTS,
    "status": _STATE, "health": _STATE, "ping": _STATE, "ps": _STATE,
    "log": _LOGS, "logs": _LOGS, "tail": _LOGS,
    "top": "there is none; with `log: {access: true}` in gsws.yaml, `gsws serve` logs a line for each request",
    "doctor": "there is none; `gsws validate` checks the project, `gsws --version` tells what is installed",
    "stop": "there is none; Ctrl-C or SIGTERM ends `gsws serve`",
}  # fmt: skip
"""Words that other tools use and that are no command here, and what does the same."""

_OPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("gsws serve", "--reload"): "it reloads by itself in development; `--no-reload` switches that off",
    ("gsws serve", "--watch"): "it reloads by itself in development; `--no-reload` switches that off",
    ("gsws serve", "--dev"): "development is the default; `--env production` is the other",
    ("gsws serve", "--production"): "write `--env production`",
    ("gsws serve", "--prod"): "write `--env production`",
    ("gsws serve", "--env-file"): "`.env` in the project's folder is read by itself",
    ("gsws serve", "--debug"): "write `log: {level: debug}` into gsws.yaml",
    ("gsws serve", "--verbose"): "write `log: {level: debug}` into gsws.yaml",
    ("gsws serve", "--log-level"): "write `log: {level: debug}` into gsws.yaml",
    ("gsws serve", "--bind"): "write `--host HOST --port PORT`",
    ("gsws serve", "-p"): "write `--port PORT`",
    ("gsws serve", "-h"): "`gsws serve --help` shows what it takes; the address is `--host HOST`",
    ("gsws call", "-d"): "the payload is `key=value`, one JSON object, or `-f FILE`",
    ("gsws call", "--data"): "the payload is `key=value`, one JSON object, or `-f FILE`",
    ("gsws call", "--payload"): "the payload is `key=value`, one JSON object, or `-f FILE`",
    ("gsws call", "--key"): "write `--api-key KEY`",
    ("gsws call", "--auth"): "write `--token TOKEN` or `--api-key KEY`",
    ("gsws validate", "--strict"): "write `--fail-level warning`",
}
"""Options that other tools have, by the command that they were given to."""


def instead_of_command(group: str, word: str, after: Sequence[str] = ()) -> str | None:
    """
    What a word of another tool is called here: ``gsws dev`` → ``use `gsws serve` ``; None if we know none.

    Args:
        group: The group of commands that it was given to.
        word: The word.
        after: What was given after it.
    """
    if group == "gsws" and word.lower() == "explain":
        code = next((one.upper() for one in after if _CODE.fullmatch(one)), "CODE")
        return f"use `gsws validate --explain {code}`"
    found = _ELSEWHERE.get(group, {}).get(word.lower())
    if found:
        return f"use `{group} {found}`"
    return _OTHERWISE.get(word.lower()) if group == "gsws" else None


def instead_of_option(command: str, option: str) -> str | None:
    """What to do instead of giving an option that another tool has; None if we know nothing."""
    return _OPTIONS.get((command, option))


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """``did you mean `serve`?``, or None if nothing is near."""
    found = nearest(word, list(candidates))
    return f"did you mean `{found[0]}`?" if found else None
