"""`gsws push` and `gsws disconnect`: reach the clients of a running service through its control socket."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gsws.cli import output
from gsws.cli.current_project import current_root
from gsws.cli.payload import payload
from gsws.types import is_protocol_name

__all__ = ["disconnect", "push"]


def push(
    eventtype: str, values: Sequence[str], target: Mapping[str, str | None], *, file: str | None, as_json: bool
) -> int:
    """
    Push one frame and print for how many connections it was queued; 0 is no failure.

    Args:
        target: ``room``, ``subject``, ``client_id``, ``connection`` and ``source``; what was not said is None.

    Raises:
        Failure: Exit 2 for arguments, 1 if no service of this project runs or it refuses.
    """
    if is_protocol_name(eventtype):
        raise output.misuse(f"`{eventtype}` belongs to the protocol; choose another name")
    chosen = _one_target(target, ("room", "subject", "client_id", "connection"))
    return _ask({"do": "push", "eventtype": eventtype, "payload": payload(values, file), **chosen}, as_json=as_json)


def disconnect(target: Mapping[str, str | None], *, code: int, reason: str, as_json: bool) -> int:
    """
    Close connections and end their sessions, and print how many there were; 0 is no failure.

    Raises:
        Failure: As `push`.
    """
    if code != 1000 and not 3000 <= code <= 4999:
        raise output.misuse(f"close code {code} is not 1000 or 3000 to 4999")
    chosen = _one_target(target, ("subject", "client_id", "connection"))
    return _ask({"do": "disconnect", "code": code, "reason": reason, **chosen}, as_json=as_json)


def _one_target(given: Mapping[str, str | None], names: Sequence[str]) -> dict[str, str]:
    chosen = {key: value for key, value in given.items() if value is not None}
    if len(chosen.keys() & set(names)) != 1:
        options = [f"`--{name.replace('_', '-')}`" for name in names]
        raise output.misuse(f"it takes exactly one of {', '.join(options[:-1])} and {options[-1]}")
    return chosen


def _ask(request: dict[str, Any], *, as_json: bool) -> int:
    root = current_root()
    if os.name != "posix":
        raise output.Failure(
            "there are no control sockets on this system", "`ctx.push` works here", exit_code=output.ENVIRONMENT
        )
    from gsws.control.client import Unanswered, ask

    try:
        answers = ask(root, request, os.environ)
    except Unanswered as error:
        raise output.Failure(str(error)) from None
    except ValueError as error:
        raise output.misuse(f"the payload cannot be sent: {error}") from None
    if not answers:
        raise output.Failure("no service of this project is running", "start it with `gsws serve`")
    for answer in answers:
        if answer.get("ok") is not True:
            raise output.Failure(str(answer.get("error")))
    count = sum(int(answer.get("count", 0)) for answer in answers)
    if as_json:
        output.result_json({"ok": True, "count": count, "processes": len(answers)})
    else:
        output.result(str(count))
        if count == 0:
            output.note(output.plain(_nobody(request)))
    return output.GOOD


def _nobody(request: Mapping[str, Any]) -> str:
    """Who was asked for and is not there."""
    named = {
        "room": "nobody is in the room",
        "subject": "nobody is connected as",
        "client_id": "nobody has client id",
        "connection": "there is no connection",
    }
    who = next(f"{text} `{request[key]}`" for key, text in named.items() if key in request)
    return f"{who} of source `{request['source']}`" if "source" in request else who
