"""
`gsws threads` and its commands: their arguments and their help texts.

What they do is in `gsws.cli.commands.threads`, which is imported when one runs.
"""

from __future__ import annotations

from typing import Annotated

from typer import Option

from gsws.cli.options import JSON, Env, group

__all__ = ["commands"]

commands = group("Show and delete what agents remember.")

Url = Annotated[str | None, Option("--url", help="The store itself, e.g. sqlite:///x.sqlite.", metavar="URL")]
Store = Annotated[str | None, Option("--source", help="Datasource, if there are several.", metavar="NAME")]


@commands.command("list")
def _list(
    subject: Annotated[
        str | None, Option("--subject", "-s", help="Whose threads; default: who has any.", metavar="NAME")
    ] = None,
    limit: Annotated[int, Option(help="How many lines at most, up to 1000.", metavar="N")] = 100,
    url: Url = None,
    source: Store = None,
    env: Env = "development",
    json: JSON = False,
) -> int:
    """Show who has threads, or the threads of one subject."""
    from gsws.cli.commands import threads

    return threads.show(threads.Where(url, source, env), subject=subject, limit=limit, as_json=json)


@commands.command("delete")
def _delete(
    subject: Annotated[str, Option("--subject", "-s", help="Whose threads.", metavar="NAME")],
    thread: Annotated[str | None, Option(help="Only this one; default: all of them.", metavar="NAME")] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    source: Store = None,
    env: Env = "development",
    json: JSON = False,
) -> int:
    """Delete what a subject said, and the answers, for good."""
    from gsws.cli.commands import threads

    return threads.delete(threads.Where(url, source, env), subject=subject, thread=thread, yes=yes, as_json=json)


@commands.command("expire")
def _expire(
    older_than: Annotated[
        str | None, Option(help="Age since the last turn, e.g. 30d; default: the file's.", metavar="TIME")
    ] = None,
    url: Url = None,
    source: Store = None,
    env: Env = "development",
    json: JSON = False,
) -> int:
    """Delete the threads that nobody has used for so long."""
    from gsws.cli.commands import threads

    return threads.expire(threads.Where(url, source, env), older_than=older_than, as_json=json)
