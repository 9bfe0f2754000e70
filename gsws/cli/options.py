"""What the declarations of commands share: how a group is made, and the options that many commands take."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from typer import Argument, Option

__all__ = ["JSON", "Env", "PayloadFile", "Values", "group"]

_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


def group(help: str, epilog: str | None = None) -> typer.Typer:
    """A command that has commands."""
    return typer.Typer(
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=False,
        # typer's drawn help names the type of every flag, and importing rich doubles the time it takes.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )


JSON = Annotated[bool, Option("--json", help="Print one JSON object.")]
Env = Annotated[str, Option("--env", help="Environment: which config/<env>.yaml is read.", metavar="NAME")]
Values = Annotated[
    list[str] | None,
    Argument(metavar="KEY=VALUE", help="The payload; `user.name=Ann` nests, `n=3` is a number."),
]
PayloadFile = Annotated[
    str | None,
    Option("--file", "-f", help="Read the payload as JSON from a file, - for stdin.", metavar="FILE"),
]
