"""Google's account as every client of Gemini looks for it: the key and the address. No client is made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["GOOGLE_KEYS", "google_address"]

GOOGLE_KEYS: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Variables that may have the key, in this order."""

_PUBLIC: Final = "https://generativelanguage.googleapis.com"


def google_address(given: str | None, environ: Mapping[str, str]) -> str:
    """
    Where the API is: the given address, that of the environment, or the public one.

    Always to be given to the client: ``LANGSMITH_GATEWAY`` would otherwise redirect what is sent to another company.
    """
    return given or environ.get("GOOGLE_GEMINI_BASE_URL") or _PUBLIC
