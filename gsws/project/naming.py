"""
Names of functions in YAML: which can be none, what is said of one that means nothing, and whether the function it
means can be called.

Which function a name means is found by `gsws.project.handlers`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gsws.diagnostics.finding import Finding, Label
from gsws.diagnostics.suggest import nearest
from gsws.project.parameters import INJECTABLE
from gsws.project.report import error, quoted, replace
from gsws.project.specs import HandlerRef
from gsws.source.span import Span

__all__ = ["Unfound", "check_signature", "refused_name", "unfound"]


@dataclass(frozen=True, slots=True)
class Unfound:
    """
    Why a name is no handler.

    Attributes:
        code: GS110, GS201, GS202, or empty if the file's own finding says enough.
        nearest: The name that was probably meant.
    """

    code: str
    message: str
    help: str | None = None
    related: tuple[Label, ...] = ()
    nearest: str | None = None


def check_signature(handler: HandlerRef, at: Span, *, given: frozenset[str] = INJECTABLE) -> Finding | None:
    """
    Tell whether a handler asks for what nobody can give it.

    Args:
        handler: The function that an event names.
        at: Where the event names it.
        given: Names that can be filled.
    """
    wrong = []
    for index, parameter in enumerate(handler.parameters or ()):
        first = index == 0 and parameter.kind in ("positional", "positional-only")
        if parameter.required and not first and parameter.name not in given:
            wrong.append(parameter.name)
    if not wrong:
        return None
    near = nearest(wrong[0], sorted(given))
    accepted = "a handler takes `ctx` first and, by name, `payload`, `ws`, `client_id`, `config`, `logger` and the like"
    names = ", ".join(f"`{name}`" for name in wrong)
    return error(
        "GS204",
        f"`{handler.callable}` cannot be called: nothing can be given for {names}",
        handler.span,
        "defined here",
        f"did you mean `{near[0]}`? {accepted}" if near else f"{accepted}; give others a default",
        [Label(at, "named here")],
    )


def unfound(reason: Unfound, name: str, at: Span, *, repair: Span | None = None) -> Finding | None:
    """The finding for a name that is no handler; None if the file's own finding says enough."""
    if not reason.code:
        return None
    fix = replace(repair, reason.nearest) if reason.nearest is not None and repair is not None else None
    return error(reason.code, reason.message, at, "named here", reason.help, reason.related, fix)


def refused_name(name: str) -> Unfound | None:
    """Why a text can name no function, wherever it is looked for."""
    shown = quoted(name)
    if " //" in name:
        fix = name.partition(" //")[0].strip()
        return Unfound("GS201", f"{shown} is no dotted name: `//` starts no comment in YAML", f"write `{fix}  # …`")
    if "/" in name or "\\" in name or name.startswith((".", "~")):
        leaves = name.startswith(("/", "\\", "~")) or ".." in name or ":" in name
        stem = name.removeprefix("./").removeprefix("functions/").removesuffix(".py").strip("/").replace("/", ".")
        return Unfound(
            "GS110" if leaves else "GS201",
            f"{shown} leaves the project" if leaves else f"{shown} is a path, `fn` takes a dotted name",
            "`fn: a.b` means functions/a/b.py" if leaves else f"write `{stem}`",
        )
    parts = name.split(".")
    if not all(parts) or name != name.strip() or not name.isprintable() or ":" in name:
        help = f"write `{name.replace(':', '.')}`" if ":" in name else "`fn: a.b` means functions/a/b.py"
        return Unfound("GS201", f"{shown} is no dotted name", help)
    if any(part.startswith("__") for part in parts):
        return Unfound("GS201", f"{shown} names a special attribute of Python, which is no handler")
    return None
