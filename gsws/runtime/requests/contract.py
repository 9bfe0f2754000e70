"""What handlers send and return, held against what their events declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gsws.protocol.codec import Unserialisable
from gsws.routing.table import Route, violations
from gsws.schema.compile import Validator
from gsws.types import GSStatus, JSONObject

__all__ = ["ReplyViolation", "check_broadcast", "check_emit", "check_reply"]


class ReplyViolation(Exception):
    """
    A handler emitted or returned what its event's contract does not allow; the message says which part.

    Attributes:
        errors: Why, as in the ``errors`` of a ``stream.error``.
    """

    def __init__(self, message: str, validator: Validator, payload: Any) -> None:
        super().__init__(message)
        self.errors = violations(validator, payload)


def check_emit(route: Route, eventtype: str, payload: JSONObject) -> None:
    """
    Hold an emitted payload against the schema that the event declares for its type.

    Raises:
        ReplyViolation: If it does not fit.
    """
    validator = route.emits.get(eventtype)
    if validator is not None and not validator.check(payload):
        raise ReplyViolation(f"emitted `{eventtype}` does not fit its schema in `emits`", validator, payload)


def check_broadcast(declared: Mapping[str, Validator], eventtype: str, payload: Any) -> None:
    """
    Hold what is sent to others than the asker against the schema that ``broadcasts`` declares for its type.

    Raises:
        ReplyViolation: If it does not fit.
        Unserialisable: If it has no JSON form.
    """
    validator = declared.get(eventtype)
    if validator is not None and not _fits(validator, payload):
        raise ReplyViolation(f"`{eventtype}` does not fit its schema in `broadcasts`", validator, payload)


def check_reply(route: Route, status: GSStatus) -> None:
    """
    Hold what a handler returned against ``responses`` for its code, or against ``reply``.

    Raises:
        ReplyViolation: If its data does not fit.
        Unserialisable: If it has no JSON form.
    """
    validator = route.responses.get(status.code or 200) if route.responses else None
    if validator is None and status.success:
        validator = route.reply
    if validator is not None and not _fits(validator, status.data):
        raise ReplyViolation("the reply's data does not fit the event's schema", validator, status.data)


def _fits(validator: Validator, value: Any) -> bool:
    try:
        return validator.check(value)
    except Exception as error:
        raise Unserialisable(str(error)) from None
