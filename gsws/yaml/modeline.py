"""
The comment that tells an editor which schema a YAML file follows: the YAML language server and JetBrains read it.

Where the schemas are kept is said here, for those who write them and those who look for the comment. What is in them
is made by `gsws.codegen`.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SCHEMA_FOLDER", "has_modeline", "modeline", "schema_for", "with_modeline"]

SCHEMA_FOLDER: Final = ".gsws/schemas"
"""Where a project keeps its editor schemas, relative to its root."""

_MODELINE: Final = re.compile(
    r"(?:\A\ufeff?|(?<=[\r\n]))#[ \t]*(?:yaml-language-server[ \t]*:[ \t]*)?\$schema[ \t]*[=:]"
)
_FOLDERS: Final = {
    "events": "event",
    "eventsources": "eventsource",
    "definitions": "definitions",
    "datasources": "datasource",
}


def schema_for(path: str) -> str | None:
    """
    The name of the schema that a file of a project follows: ``event`` for ``src/events/a/b.yaml``.

    Args:
        path: POSIX path relative to the project's root.
    """
    parts = path.split("/")
    if not parts[-1].endswith((".yaml", ".yml")):
        return None
    if parts == ["gsws.yaml"]:
        return "gsws"
    if parts[0] == "src":
        parts = parts[1:]
    return _FOLDERS.get(parts[0]) if len(parts) > 1 else None


def modeline(path: str) -> str | None:
    """The comment for a file of a project, without a line break; None for a file that follows no schema."""
    schema = schema_for(path)
    if schema is None:
        return None
    return f"# yaml-language-server: $schema={'../' * path.count('/')}{SCHEMA_FOLDER}/{schema}.schema.json"


def has_modeline(text: str) -> bool:
    """Whether a text has such a comment, of whatever schema."""
    return "$schema" in text and _MODELINE.search(text) is not None


def with_modeline(path: str, text: str) -> str:
    """
    A text with the comment as its first line; the same text if it has one, or needs none.

    Args:
        path: POSIX path relative to the project's root.
        text: May begin with a byte-order mark; its line breaks are kept.
    """
    line = modeline(path)
    if line is None or has_modeline(text):
        return text
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    first = re.search(r"\r\n|\n|\r", text)
    return f"{mark}{line}{first.group() if first else chr(10)}{text.removeprefix(mark)}"
