"""
Exceptions of gsws: programmer mistakes and failures of the environment.

What a user wrote wrong in a file is no exception but a finding (`gsws.diagnostics`).
"""

from __future__ import annotations

__all__ = ["ConnectionClosed", "EnvironmentFailure", "Explained", "GSWSError", "PluginError", "ServeError"]


class GSWSError(Exception):
    """Base of every exception that gsws raises on purpose."""


class ConnectionClosed(GSWSError):
    """
    A handler sent to a connection that is no longer open.

    Attributes:
        code: Close code (RFC 6455 section 7.4), 1006 if none was received.
        reason: Close reason, possibly empty.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection is closed ({self.code}{' ' + self.reason if self.reason else ''})"


class Explained(GSWSError):
    """
    A failure that a person can do something about.

    Attributes:
        message: One sentence.
        help: What to do, or None.
        exit_code: Of a command that it ends.
    """

    exit_code = 1

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message


class ServeError(Explained):
    """Something cannot start: a port in use, a host that does not resolve."""


class PluginError(GSWSError):
    """A plugin cannot be loaded or broke its contract; the message names it."""


class EnvironmentFailure(ServeError):
    """A tool, key or network that is missing; the command line exits with 4."""

    exit_code = 4
