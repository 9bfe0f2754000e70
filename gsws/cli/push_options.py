"""Arguments and help of `gsws push` and `gsws disconnect`; what they do is in `gsws.cli.commands.push`."""

from __future__ import annotations

from typing import Annotated

import typer

from gsws.cli.options import JSON, PayloadFile, Values

__all__ = ["disconnect", "push"]

Subject = Annotated[str | None, typer.Option("--subject", help="Everything of this user.", metavar="NAME")]
ClientId = Annotated[str | None, typer.Option("--client-id", help="Who has this label.", metavar="NAME")]
ConnectionId = Annotated[str | None, typer.Option("--connection", help="One connection, by its id.", metavar="ID")]
Source = Annotated[
    str | None, typer.Option("--source", help="Event source; needed where there are several.", metavar="NAME")
]


def push(
    eventtype: Annotated[str, typer.Argument(metavar="EVENTTYPE", help="Name of the frame, e.g. order.paid.")],
    values: Values = None,
    file: PayloadFile = None,
    room: Annotated[str | None, typer.Option("--room", help="Everybody in this room.", metavar="NAME")] = None,
    subject: Subject = None,
    client_id: ClientId = None,
    connection: ConnectionId = None,
    source: Source = None,
    json: JSON = False,
) -> int:
    """Push a frame to clients of a running service."""
    from gsws.cli.commands import push as command

    target = {
        "room": room,
        "subject": subject,
        "client_id": client_id,
        "connection": connection,
        "source": source,
    }
    return command.push(eventtype, values or [], target, file=file, as_json=json)


def disconnect(
    subject: Subject = None,
    client_id: ClientId = None,
    connection: ConnectionId = None,
    code: Annotated[int, typer.Option("--code", help="Close code: 1000, or 3000 to 4999.", metavar="NUMBER")] = 4504,
    reason: Annotated[str, typer.Option("--reason", help="What is said with it.", metavar="TEXT")] = "",
    source: Annotated[
        str | None, typer.Option("--source", help="One event source; default: all.", metavar="NAME")
    ] = None,
    json: JSON = False,
) -> int:
    """Close connections of a running service."""
    from gsws.cli.commands import push as command

    target = {"subject": subject, "client_id": client_id, "connection": connection, "source": source}
    return command.disconnect(target, code=code, reason=reason, as_json=json)
