"""
The `gsws` command: from arguments to an exit code, whatever happens in between.

Exit codes: 0 good, 1 findings or failure, 2 usage, 3 a bug in gsws, 4 something missing on this
machine. The commands themselves are declared in `app`; each is imported only when it runs.
"""

from __future__ import annotations

import sys

from gsws.cli.importpath import leave_relative_places

leave_relative_places()

try:
    import contextlib
    import errno
    import os
    import signal
    import tempfile
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, Final, NoReturn, cast

    from gsws.cli import output
    from gsws.cli.fast_path import fast_command
    from gsws.cli.output import FAILED, GOOD, INTERNAL, USAGE
    from gsws.diagnostics.mask import hide
    from gsws.errors import Explained, PluginError
    from gsws.text.urls import without_secrets
except KeyboardInterrupt:
    # Ctrl-C this early is as quiet as later.
    sys.exit(130)

__all__ = ["main"]

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)

_OF_OUTPUT: Final = frozenset(
    {errno.EBADF, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE, getattr(errno, "EDQUOT", 0)}
)
"""What goes wrong with a stream that was opened before."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and tell its exit code; never raises, never shows a traceback.

    Args:
        arguments: What follows ``gsws``; the process's own arguments by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _have_streams()
    for stream in (sys.stdout, sys.stderr):
        # A name with a lone surrogate, or a terminal that knows ASCII alone, must not end a command.
        with contextlib.suppress(AttributeError, ValueError):
            cast("Any", stream).reconfigure(errors="backslashreplace")
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        output.silence_broken()
        return GOOD
    except OSError as error:
        # What is left here is mostly the output itself: a full disk behind `>`, a closed stdout.
        output.silence_broken()
        with contextlib.suppress(OSError, ValueError):
            of_output = error.filename is None and error.errno in _OF_OUTPUT
            what = "cannot write the output" if of_output else "the operating system refused"
            where = f" (`{error.filename}`)" if error.filename is not None else ""
            output.show_failure(f"{what}: {error.strerror or error}{where}")
        return FAILED
    return code


def _have_streams() -> None:
    """A process that was started with a closed stdin, stdout or stderr gets one that goes nowhere."""
    # Else the next thing to be opened takes the number: libuv aborts on closing such a socket.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # lives as long as the process


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"], ["version"]):
        from gsws.__about__ import __version__

        output.result(f"gsws {__version__}")
        return GOOD
    if arguments[:1] == ["help"]:
        # As in `git help init`.
        arguments = [*arguments[1:], "--help"]
    as_json = "--json" in arguments
    if arguments[:1] == ["serve"]:
        # Until the service has its own handlers: a stop is no failure at any moment.
        for number in _STOPS:
            signal.signal(number, _stop)
    try:
        plain = fast_command(arguments)
        if plain is not None:
            return plain()
        from gsws.cli import app

        returned = app.command().main(args=arguments, prog_name="gsws", standalone_mode=False)
        return returned if isinstance(returned, int) else GOOD
    except Explained as error:
        return _fail(error.message, error.help, error.exit_code, as_json, getattr(error, "facts", None))
    except PluginError as error:
        return _fail(str(error), None, FAILED, as_json)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(f"{error.strerror}: `{error.filename}`", None, FAILED, as_json)
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            # typer makes a failure of a reader that had enough, such as `head`.
            _unwrap_streams()
            raise stop.__context__ from None
        return stop.code if isinstance(stop.code, int) else GOOD if stop.code is None else FAILED
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own, for arguments it cannot take
            return _usage(error, as_json, arguments)
        if error.__class__.__name__ == "Abort":
            return 130
        return _bug(error, arguments)


def _unwrap_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        setattr(sys, name, getattr(stream, "wrapped", stream))


def _stop(*_: object) -> NoReturn:
    """
    End at once; nothing is bound yet.

    Not by an exception: one that is raised while a callback of the import system runs is ignored, and the stop with it.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    taken = sys.modules.get("gsws.observability.streams")
    if taken is not None:
        with contextlib.suppress(Exception):
            taken.finish(0.5)
    os._exit(GOOD)


def _fail(message: str, help: str | None, code: int, as_json: bool, facts: dict[str, Any] | None = None) -> int:
    if as_json:
        told = {"ok": False, "error": message, "help": help, **(facts or {})}
        hidden = {name: without_secrets(hide(fact)) if isinstance(fact, str) else fact for name, fact in told.items()}
        output.result_json(hidden)
    output.show_failure(message, help)
    return code


def _usage(error: Any, as_json: bool, arguments: list[str]) -> int:
    """Explain what was wrong with the arguments, with the nearest known words."""
    context = getattr(error, "ctx", None)
    if error.__class__.__name__ == "NoArgsIsHelpError":
        output.note(error.format_message().rstrip())
        return USAGE
    message, help = _spoken(error, arguments)
    if help is None and context is not None:
        help = f"`{context.command_path} --help` shows what it takes"
    return _fail(message, help, getattr(error, "exit_code", USAGE), as_json)


def _spoken(error: Any, arguments: list[str]) -> tuple[str, str | None]:
    """typer's sentence in our manner, and a suggestion if one word is near."""
    from gsws.cli.suggest import did_you_mean, instead_of_command, instead_of_option

    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and error.__class__.__name__ == "NoSuchOption":
        known = [name for param in context.command.get_params(context) for name in param.opts] if context else []
        near = did_you_mean(option, [name for name in known if name[:1] == "-"])
        return f"no option `{option}`{_of(context)}", instead_of_option(_path(context), option) or near
    text = str(getattr(error, "message", "") or "")
    if text.startswith("No such command") and context is not None:
        word = text.split("'")[1] if "'" in text else ""
        near = did_you_mean(word, list(getattr(context.command, "commands", {})))
        after = arguments[arguments.index(word) + 1 :] if word in arguments else []
        return f"no command `{word}`{_of(context)}", instead_of_command(_path(context), word, after) or near
    sentence = " ".join(error.format_message().split()).rstrip(".")
    return sentence[:1].lower() + sentence[1:], None


def _of(context: Any) -> str:
    path = _path(context)
    return "" if path == "gsws" else f" of `{path}`"


def _path(context: Any) -> str:
    """``gsws plugin``: the command that a context belongs to."""
    return str(getattr(context, "command_path", "gsws"))


def _bug(error: Exception, arguments: list[str]) -> int:
    """Say in one line that this is our fault, and where the details are."""
    import traceback

    details = "".join([f"gsws {' '.join(arguments)}\nPython {sys.version}\n\n", *traceback.format_exception(error)])
    try:
        descriptor, path = tempfile.mkstemp(prefix="gsws-bug-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(hide(details))
        where = f"the details are in {path}; please report them"
    except OSError:
        where = "the details could not be written anywhere"
    output.show_failure(f"a bug in gsws: {error.__class__.__name__}: {_one_line(str(error))}", where)
    return INTERNAL


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
