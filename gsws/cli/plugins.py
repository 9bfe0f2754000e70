"""Names of plugins as people type them, and the plugins that they mean."""

from __future__ import annotations

import re

from gsws.cli import output
from gsws.cli.suggest import did_you_mean
from gsws.plugins.install import PREFIX
from gsws.plugins.registry import InstalledPlugin, registry

__all__ = ["checked_type", "listed", "usable"]

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def usable(type: str) -> InstalledPlugin:
    """
    The installed plugin of that type.

    Raises:
        Failure: If it cannot be used; the sentence names it and says why.
    """
    plugin = registry[type]
    if plugin.error is not None:
        raise output.Failure(plugin.error, f"`gsws plugin info {type}` shows where it comes from")
    return plugin


def checked_type(type: str) -> str:
    """A plugin's type in its plain spelling; refuses options, paths, URLs and shell characters."""
    if type.startswith("@godspeedsystems/plugins-"):
        known = type.removeprefix("@godspeedsystems/plugins-").partition("-as-")[0].split("@")[0]
        fits = known in registry
        raise output.misuse(
            f"`{type}` is a package of the Node framework",
            f"use `gsws plugin add {known}`" if fits else f"here, plugins have plain names: {listed(list(registry))}",
        )
    short = type.removeprefix(PREFIX)
    if len(short) <= 64 and _NAME.fullmatch(short):
        return short
    help = None
    if len(short) <= 64:
        help = f"did you mean `{short.lower()}`?" if short.lower() in registry else did_you_mean(short, registry)
    shown = type if len(type) <= 80 else f"{type[:77]}..."
    raise output.misuse(
        f"`{shown}` is no name of a plugin; expected lower-case letters, digits, `-` and `_`",
        help or f"known here: {listed(list(registry))}",
    )


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
