"""
The key under which a thread is stored: an unambiguous encoding of its subject and its name.

A thread belongs to a subject, so the key that LangGraph calls ``thread_id`` is made here and nowhere else. Pure:
no store, no I/O.
"""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote, unquote_to_bytes

__all__ = ["MAX_KEY", "names", "owner", "subject_key", "subject_name", "thread_id"]

_PLAIN: Final = "@:+,=!()"  # beside letters, digits and `-._~`: what keys hold as it is; neither `/` nor `*` nor `%`
_MAX_PART: Final = 512
_HASHED: Final = "*"

MAX_KEY: Final = 2 * _MAX_PART + 1
"""Characters of the longest key, all ASCII; an index of Postgres takes rows of 2,704 bytes."""


def thread_id(subject: str, thread: str) -> str:
    """
    The key of a subject's thread; no other subject and no other thread has it.

    Two texts that look alike but are written with different code points are different names. A part that would be
    longer than 512 characters is replaced by its SHA-256.

    Args:
        subject: Whose thread it is: ``ctx.actor.key``.
        thread: The name that the subject gave it; any text.

    Returns:
        ``<subject>/<thread>`` in ASCII, at most `MAX_KEY` characters, readable for plain names: ``ann@x.org/work``.

    Raises:
        ValueError: If the subject or the thread is empty.
    """
    return f"{subject_key(subject)}/{_part(thread, 'thread')}"


def subject_key(subject: str) -> str:
    """
    The part of the keys that all threads of a subject share, and no others.

    Raises:
        ValueError: If the subject is empty.
    """
    return _part(subject, "subject")


def owner(key: str) -> str:
    """The `subject_key` in a key; ``""``, which is no subject's, for a key that `thread_id` did not make."""
    subject, _, thread = key.partition("/")
    return subject if subject and thread and "/" not in thread else ""


def subject_name(subject: str) -> str | None:
    """The subject of a `subject_key`, or None if it was too long to be kept there."""
    return _text(subject)


def names(key: str) -> tuple[str | None, str | None]:
    """
    Subject and thread of a key.

    Returns:
        Each is None if it was too long to be kept in the key; both are if the key is none that `thread_id` made.
    """
    subject = owner(key)
    return (_text(subject), _text(key[len(subject) + 1 :])) if subject else (None, None)


def _part(text: str, what: str) -> str:
    if not isinstance(text, str) or not text:
        raise ValueError(f"a {what} is a text of at least one character, not {text!r}")
    raw = text.encode("utf-8", "surrogatepass")
    # Quoting a megabyte only to throw it away would be the sender's to ask for.
    written = quote(raw, safe=_PLAIN) if len(raw) <= _MAX_PART else ""
    if not written or len(written) > _MAX_PART:
        return _HASHED + hashlib.sha256(raw).hexdigest()
    return written


def _text(part: str) -> str | None:
    if not part or part.startswith(_HASHED):
        return None
    try:
        return unquote_to_bytes(part).decode("utf-8", "surrogatepass")
    except UnicodeError:  # made by another program
        return None
