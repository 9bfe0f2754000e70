"""`gsws fake-gemini`: a local stand-in of the Gemini API, to try or record a project without the real one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsws.cli import output

__all__ = ["Options", "run"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    delay: float
    script: Path | None
    record: Path | None
    replay: Path | None
    upstream: str | None
    any_key: bool


def run(options: Options) -> int:
    """
    Serve the stand-in until Ctrl-C or SIGTERM.

    Returns:
        0 after a signal.

    Raises:
        Failure: Exit 2 for options, 1 for a file that cannot be used or a port that cannot be had.
        EnvironmentFailure: Exit 4; the extra `testing` is not installed.
    """
    _check(options)
    stop = threading.Event()
    fake = _made(options)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with output.refusing(f"cannot listen on {options.host} port {options.port}", "`--port 0` takes a free one"):
            fake.start()
        _introduce(fake, options)
        # A wait without an end cannot be interrupted by a signal on every platform.
        while not stop.wait(0.5):
            continue
    finally:
        fake.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return output.GOOD


def _made(options: Options) -> Any:
    from gsws.testing.gemini import FakeGemini, RecordingError, TurnError
    from gsws.testing.gemini.fake import KEY

    common: dict[str, Any] = {"host": options.host, "port": options.port, "on_end": _log}
    try:
        if options.record is not None:
            from gsws.testing.gemini.record import REAL

            return FakeGemini.record(options.upstream or REAL, options.record, **common)
        if options.replay is not None:
            return FakeGemini.replay(options.replay, delay=options.delay, **common)
        key = None if options.any_key else KEY
        return FakeGemini(script=options.script, delay=options.delay, key=key, **common)
    except (TurnError, RecordingError) as error:
        raise output.Failure(str(error)) from None
    except OSError as error:
        path = options.replay or options.script
        raise output.Failure(f"cannot read `{path}`: {error.strerror or error}") from None


def _introduce(fake: Any, options: Options) -> None:
    """Say what to set; only that goes to stdout."""
    if options.host not in _LOOPBACK:
        output.warn(f"anybody who reaches {options.host} can use this stand-in", "leave out `--host`")
    what = "a stand-in of the Gemini API: no model is asked"
    if options.record is not None:
        what = f"what is asked goes on to the API, with your key, and into {options.record}"
    elif options.replay is not None:
        what = f"a stand-in of the Gemini API, answering from {options.replay}"
    output.note(output.plain(f"{fake.url} is {what}" if options.record is None else f"{fake.url}: {what}"))
    output.note("set these where your project runs; Ctrl-C stops")
    for name, value in fake.env.items():
        if name == "GOOGLE_API_KEY" and options.record is not None and not fake.has_upstream_key:
            value = "your-key"
        output.result(f'$env:{name} = "{value}"' if os.name == "nt" else f"export {name}={value}")
    sys.stdout.flush()


def _log(request: Any) -> None:
    """One line a request, on the server's thread; a terminal that is gone must not end the server."""
    what = " ".join(part for part in (request.operation or f"{request.method} {request.path}", request.model) if part)
    facts = [f"{(request.ended or request.received) - request.received:.2f} s"]
    if request.sent:
        facts.insert(0, f"{len(request.sent)} token{'s' if len(request.sent) > 1 else ''}")
    if request.outcome not in ("answered", "refused"):
        facts.append(
            {"left": "the client left", "failed": "failed in its middle"}.get(request.outcome, request.outcome)
        )
    asked = " ".join(request.text.split())
    if asked:
        facts.append(f"“{asked if len(asked) <= _SHOWN else asked[: _SHOWN - 1] + '…'}”")
    good = request.outcome == "answered"
    status = output.paint(str(request.status or "---"), "green" if good else "yellow", stream=sys.stderr)
    try:
        output.note(f"{time.strftime('%H:%M:%S')} {status} {output.plain(what)} · {output.plain(' · '.join(facts))}")
        if request.error:
            output.note(output.paint(output.plain(f"  {request.error}"), "dim", stream=sys.stderr))
        sys.stderr.flush()
    except (OSError, ValueError):
        output.silence_broken()


def _check(options: Options) -> None:
    if not 0 <= options.port <= 65535:
        raise output.misuse(f"`{options.port}` is no port; expected 0 to 65535", "0 takes a free one")
    if not 0 <= options.delay <= 60:
        raise output.misuse("`--delay` is 0 to 60 seconds a token")
    given = [name for name in ("script", "record", "replay") if getattr(options, name) is not None]
    if len(given) > 1:
        raise output.misuse(f"`--{given[0]}` and `--{given[1]}` exclude each other", "leave one out")
    if options.upstream is not None:
        if options.record is None:
            raise output.misuse("`--upstream` is for `--record`")
        if not options.upstream.startswith(("http://", "https://")):
            raise output.misuse(
                f"`{options.upstream}` is no URL", "for example https://generativelanguage.googleapis.com"
            )
