"""The arguments of `gsws fake-gemini` and their help texts; what it does is in `gsws.cli.commands.fake_gemini`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["fake_gemini"]


def fake_gemini(
    port: Annotated[int, typer.Option(help="Listen on this port; 0 takes a free one.", metavar="PORT")] = 8089,
    host: Annotated[str, typer.Option(help="Listen here.", metavar="HOST")] = "127.0.0.1",
    delay: Annotated[float, typer.Option(help="Seconds before each token.", metavar="SECONDS")] = 0.04,
    script: Annotated[
        Path | None, typer.Option("--script", help="What to answer: a YAML list of turns.", metavar="FILE")
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", help="Ask the real API and write the conversation here.", metavar="FILE")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Answer from a recorded conversation.", metavar="FILE")
    ] = None,
    upstream: Annotated[
        str | None, typer.Option("--upstream", help="Record from this API instead.", metavar="URL")
    ] = None,
    any_key: Annotated[bool, typer.Option("--any-key", help="Take every key, not only fake-key.")] = False,
) -> int:
    """Stand in for the Gemini API: no key, no network."""
    from gsws.cli.commands import fake_gemini

    options = fake_gemini.Options(
        host=host,
        port=port,
        delay=delay,
        script=script,
        record=record,
        replay=replay,
        upstream=upstream,
        any_key=any_key,
    )
    return fake_gemini.run(options)
