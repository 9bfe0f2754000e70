"""
Which names a project, an event, a function and a source may have.

A name is taken as it is, normalised where the field has a rule for that, or refused with a sentence
and a better name. No file system here.
"""

from __future__ import annotations

import keyword
import re
import unicodedata

from gsws.errors import Explained

__all__ = [
    "NameRefused",
    "check_directory_name",
    "check_event_name",
    "check_function_name",
    "check_source_name",
    "function_name_for",
    "project_name",
]

_LONGEST = 100
_FORBIDDEN = '<>:"|?*\\/'
_RESERVED_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_PROTOCOL_SOURCES = frozenset({"gsws", "stream"})


class NameRefused(Explained):
    """A name that would make trouble; ``help`` names one that would do, or is None."""

    exit_code = 2


def check_directory_name(name: str) -> None:
    """
    Refuse names of a directory that some shell, tool or system stumbles over.

    Spaces, quotes of the kind ``'`` and letters of any script are fine.

    Raises:
        NameRefused: With a name that would do.
    """
    instead = f"try `{project_name(name)}`"
    if name in ("", ".."):
        raise NameRefused(f"`{name}` is no name for a project", "give the name of a directory, or `.`")
    if len(name) > _LONGEST or len(name.encode("utf-8", "surrogatepass")) > 2 * _LONGEST:
        raise NameRefused(f"the name is {len(name)} characters long; expected at most {_LONGEST}")
    if name.startswith("-"):
        raise NameRefused(f"the name `{name}` would be read as an option", instead)
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        raise NameRefused("the name holds a character that cannot be seen", instead)
    bad = next((character for character in name if character in _FORBIDDEN), None)
    if bad is not None:
        raise NameRefused(f"the name `{name}` holds `{bad}`, which file systems refuse", instead)
    if name != name.strip() or name.endswith("."):
        raise NameRefused(f"the name `{name}` begins or ends with a space or a dot", instead)
    if _RESERVED_WINDOWS.fullmatch(name):
        raise NameRefused(f"the name `{name}` is a device on Windows", f"try `{name}-app`")
    if name.startswith("$") or "`" in name:
        raise NameRefused(f"the name `{name}` would be read by a shell", instead)


def project_name(name: str) -> str:
    """
    ``name`` as a package index takes it: ``My Chat!`` becomes ``my-chat``.

    Always gives a usable name; ``app`` if nothing of ``name`` is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_LONGEST].strip("-") or "app"


def check_event_name(name: str) -> None:
    """
    Refuse what is no plain event name; ``hello`` and ``chat.room-1.joined`` are.

    Raises:
        NameRefused: With a name that would do.
    """
    if len(name) > _LONGEST:
        raise NameRefused(f"the name is {len(name)} characters long; expected at most {_LONGEST}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*", name):
        better = re.sub(r"[^A-Za-z0-9_.]+", "_", _ascii(name)).strip("._")
        raise NameRefused(
            f"`{name}` is no event name; expected letters, digits, `_`, `-` and dots",
            f"try `{better}`" if better[:1].isalpha() else None,
        )


def check_function_name(name: str) -> None:
    """
    Refuse what is no dotted name of a handler.

    Raises:
        NameRefused: With a name that would do.
    """
    if len(name) > _LONGEST:
        raise NameRefused(f"the name is {len(name)} characters long; expected at most {_LONGEST}")
    parts = name.split(".")
    if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", part) for part in parts):
        better = ".".join(re.sub(r"[^A-Za-z0-9_]+", "_", _ascii(part)).strip("_") for part in parts)
        usable = all(part[:1].isalpha() for part in better.split("."))
        raise NameRefused(
            f"`{name}` is no function name; expected letters, digits and `_`, with dots for folders",
            f"try `{better}`" if usable else None,
        )
    for part in parts:
        if keyword.iskeyword(part):
            raise NameRefused(f"`{part}` is a keyword of Python", f"try `{name.replace(part, f'on_{part}')}`")
    for part in parts:
        if _RESERVED_WINDOWS.fullmatch(part):
            raise NameRefused(f"`{part}` is a device on Windows", f"try `{name.replace(part, f'on_{part}')}`")


def function_name_for(event: str) -> str:
    """The function name that goes with an event name: ``room-1.joined`` becomes ``room_1_joined``."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", event).strip("_")
    try:
        check_function_name(name)
    except NameRefused:
        return f"on_{name}"
    return name


def check_source_name(name: str) -> None:
    """
    Refuse what is no plain name of an event source or plugin.

    Raises:
        NameRefused: With a name that would do.
    """
    if len(name) > 64:
        raise NameRefused(f"the name is {len(name)} characters long; expected at most 64")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        better = re.sub(r"[^A-Za-z0-9_-]+", "-", _ascii(name)).strip("-")
        raise NameRefused(
            f"`{name}` is no name of a source; expected letters, digits, `_` and `-`",
            f"try `{better}`" if better[:1].isalpha() and len(better) < 40 else None,
        )
    if name.lower() in _PROTOCOL_SOURCES:
        raise NameRefused(f"the name `{name}` belongs to the protocol", f"try `my-{name}`")
    if _RESERVED_WINDOWS.fullmatch(name):
        raise NameRefused(f"the name `{name}` is a device on Windows", f"try `my-{name}`")


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
