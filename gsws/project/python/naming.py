"""
Names of functions in YAML: which can be none, what is said of one that means nothing, and whether the function it
means can be called.

Which function a name means is found by `gsws.project.python.handlers`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gsws.diagnostics.finding import Finding, Label, Severity, error, replace
from gsws.diagnostics.suggest import distance, nearest
from gsws.project.python.parameters import INJECTABLE
from gsws.project.reporting.wording import quoted
from gsws.project.specs import HandlerRef
from gsws.text.span import Span

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
    Tell whether a handler asks for what nobody can give it, or gets something else than its parameter's name says.

    Args:
        handler: The function that an event names.
        at: Where the event names it.
        given: Names that can be filled.
    """
    wrong = []
    misspelt = None
    for index, parameter in enumerate(handler.parameters or ()):
        # A first parameter is the context, unless it has the name of what only a message has.
        first = index == 0 and parameter.kind != "keyword-only" and parameter.name not in INJECTABLE
        if parameter.name in given or parameter.kind.startswith("var-"):
            continue
        if parameter.required and not first:
            wrong.append(parameter.name)
        elif misspelt is None and (meant := _misspelt(parameter.name, given)):
            fate = "is the context" if first else "is never given"
            misspelt = (parameter.name, meant, fate)
    if not wrong and misspelt is not None:
        name, meant, fate = misspelt
        return Finding(
            "GS216",
            Severity.WARNING,
            f"the parameter `{name}` of `{handler.callable}` {fate}: only names that gsws knows are filled",
            handler.span,
            "defined here",
            f"did you mean `{meant}`?",
            (Label(at, "named here"),),
        )
    if not wrong:
        return None
    near = nearest(wrong[0], sorted(given))
    accepted = "a handler takes `ctx` first and, by name, `payload`, `ws`, `client_id`, `config`, `logger` and the like"
    if given is not INJECTABLE:
        accepted = "it takes the context first and, by name, " + ", ".join(f"`{one}`" for one in sorted(given))
    names = ", ".join(f"`{name}`" for name in wrong)
    return error(
        "GS204",
        f"`{handler.callable}` cannot be called: nothing can be given for {names}",
        handler.span,
        "defined here",
        f"did you mean `{near[0]}`? {accepted}" if near else f"{accepted}; give others a default",
        [Label(at, "named here")],
    )


def _misspelt(name: str, given: frozenset[str]) -> str | None:
    """The name that a parameter's name was meant to be, if one letter or two make the difference."""
    if len(name) < 4 or name.startswith("_"):
        return None
    steps = [(distance(name.casefold(), known.casefold(), 1 + (len(name) > 7)), known) for known in sorted(given)]
    apart, known = min(steps)
    return known if apart <= 1 + (len(name) > 7) and known not in ("context", "ctx") else None


def unfound(reason: Unfound, written: str, name: str, at: Span) -> Finding | None:
    """
    The finding for a name that is no handler; None if the file's own finding says enough.

    Args:
        reason: Why it is none.
        written: What the file says.
        name: The same after look-ups; one that was looked up is told to nobody, and not written over.
        at: Where it stands.
    """
    if not reason.code:
        return None
    if written != name:
        message = f"what {quoted(written)} stands for names no function of the project"
        return error(reason.code, message, at, "looked up", "give the dotted name of a function under `functions/`")
    fix = replace(at, reason.nearest) if reason.nearest is not None else None
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
