"""
Functions that run beside messages: ``on_connect`` and ``on_disconnect`` of a source, ``lifespan`` of the project.

Whether they are there, and whether they can be called so; when they run is the runtime's matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gsws.diagnostics.finding import Finding, Label, error
from gsws.project.link import resolve_function
from gsws.project.python.handlers import HandlerIndex
from gsws.project.python.naming import check_signature
from gsws.project.python.parameters import LIFESPAN
from gsws.project.reporting.wording import quoted
from gsws.project.sources import CheckedFile
from gsws.project.specs import HandlerRef
from gsws.text.span import Pointer, Span
from gsws.yaml.document import Document

__all__ = ["HOOKS", "hook_findings", "resolve_lifespan"]

HOOKS: Final = ("on_connect", "on_disconnect")
"""Keys of a source that name a function which runs for a connection instead of a message."""


def hook_findings(one: CheckedFile, refs: dict[Pointer, HandlerRef | None]) -> Iterator[Finding]:
    """What is wrong with the hooks of a source, and with the subprotocols that it offers itself."""
    document = one.expanded.document
    for key in HOOKS:
        hook = refs.get((key,))
        if hook is not None and hook.is_generator:
            yield error(
                "GS204",
                f"`{key}` takes a function that returns, and `{hook.callable}` is a generator",
                document.value_span((key,)),
                "named here",
                "send what it yields with `ctx.push(…, connection=…)` or `ws.send`",
                [Label(hook.span, "yields")],
            )
    offered = one.written.get("subprotocols")
    for index, name in enumerate(offered if isinstance(offered, list) else ()):
        if isinstance(name, str) and name.startswith("gsws."):
            yield error(
                "GS308",
                f"the subprotocol {quoted(name)} belongs to the protocol",
                document.value_span(("subprotocols", index)),
                "reserved",
                "`gsws.v1` is offered anyway; name only what your own clients speak",
            )


def resolve_lifespan(
    name: str | None, document: Document | None, handlers: HandlerIndex, findings: list[Finding]
) -> HandlerRef | None:
    """The function that ``lifespan`` of gsws.yaml names, or None after a finding."""
    if name is None or document is None:
        return None
    found = resolve_function(name, document, ("lifespan",), handlers, findings, signature=False)
    if found is not None:
        findings += _uncallable(found, document.value_span(("lifespan",)))
    return found


def _uncallable(found: HandlerRef, at: Span) -> Iterator[Finding]:
    if found.parameters is None:
        return  # a decorator or a call made it; the source does not tell
    if not found.is_async:
        yield error(
            "GS204",
            f"`lifespan` takes an async function or generator, and `{found.callable}` is a plain one",
            found.span,
            "defined here",
            f"write `async def {found.callable}(ctx)`; `asyncio.to_thread` calls what blocks",
            [Label(at, "named here")],
        )
        return
    wrong = check_signature(found, at, given=LIFESPAN)
    if wrong is not None:
        yield wrong
