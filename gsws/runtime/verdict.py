"""
What counts as a yes of a function that decides about access: ``authz``, ``on_connect``, ``authn.fn``.

One rule, in one place: `True`, or a status whose ``success`` is `True`. Whatever else comes back, of whatever type and
however true it looks, is a no; so is an exception, which is the caller's to catch.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any

from gsws.types import GSStatus

__all__ = ["discard", "is_yes", "refusal_of"]


def is_yes(verdict: Any) -> bool:
    """Whether a verdict lets somebody in."""
    if isinstance(verdict, GSStatus):
        return verdict.success is True
    if isinstance(verdict, Mapping):
        return verdict.get("success") is True
    return verdict is True


def refusal_of(verdict: Any, message: str) -> GSStatus | None:
    """
    Turn a verdict into the refusal that is answered, or None if it is a yes.

    Args:
        verdict: What the function returned; what a status says of code, message and data is kept.
        message: What is said if the verdict says nothing.
    """
    if is_yes(verdict):
        return None
    discard(verdict)
    code: Any = None
    text: Any = None
    data: Any = None
    if isinstance(verdict, GSStatus):
        code, text, data = verdict.code, verdict.message, verdict.data
    elif isinstance(verdict, Mapping) and "success" in verdict:
        code, text, data = verdict.get("code"), verdict.get("message"), verdict.get("data")
    # 500 is what a failed status without a code has; a code of success does not go with a no.
    is_code = isinstance(code, int) and not isinstance(code, bool) and code >= 400 and code != 500
    return GSStatus(False, code if is_code else 403, text if isinstance(text, str) and text else message, data)


def discard(value: Any) -> None:
    """Throw away what nobody awaits or iterates, without a warning later."""
    if inspect.iscoroutine(value) or inspect.isgenerator(value):
        with contextlib.suppress(Exception):
            value.close()
