"""
What counts as a yes of a function that decides about access: ``authz``, ``on_connect``, ``authn.fn``.

One rule, in one place: `True`, or a status whose ``success`` is `True` and whose ``code`` does not say otherwise.
What is a status is the rule for results (`gsws.protocol.status.written_status`). Whatever else comes back, of whatever
type and however true it looks, is a no; so is an exception, which is the caller's to catch.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

from gsws.protocol.status import written_status
from gsws.types import GSStatus

__all__ = ["discard", "is_yes", "refusal_of"]


def is_yes(answer: Any) -> bool:
    """Whether an answer lets somebody in."""
    if answer is True:
        return True
    status = written_status(answer)
    if status is None or status.success is not True:
        return False
    # As it was written: a status leaves out a code that is no plain number.
    code = answer.code if isinstance(answer, GSStatus) else answer.get("code")
    return code is None or (isinstance(code, int) and not isinstance(code, bool) and code < 400)


def refusal_of(answer: Any, message: str) -> GSStatus | None:
    """
    Turn an answer into the refusal that is answered, or None if it is a yes.

    Args:
        answer: What the function returned; what a status says of code, message and data is kept.
        message: What is said if the answer says nothing.
    """
    if is_yes(answer):
        return None
    discard(answer)
    status = written_status(answer)
    if status is None:
        return GSStatus(False, 403, message)
    code, text = status.code, status.message
    # 500 is what a failed status without a code has; a code of success does not go with a no.
    is_code = isinstance(code, int) and not isinstance(code, bool) and code >= 400 and code != 500
    return GSStatus(False, code if is_code else 403, text if isinstance(text, str) and text else message, status.data)


def discard(value: Any) -> None:
    """Throw away what nobody awaits or iterates, without a warning later."""
    if inspect.iscoroutine(value) or inspect.isgenerator(value):
        with contextlib.suppress(Exception):
            value.close()
