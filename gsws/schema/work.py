"""
How much work a schema may make, counted before anything is run.

The engine checks a value against every alternative that leads to it, and remembers nothing but references that lead
in a circle. Alternatives inside alternatives multiply: eight of them on each of ten levels are a billion steps, for
one message. Nothing interrupts the engine, so what may take too long is not begun.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Final, Protocol, TypeAlias

from gsws.schema.drafts import ONE
from gsws.schema.finding import SchemaFinding
from gsws.schema.references import Resource, Target, at
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["MAX_STEPS", "Work", "parts_of"]

MAX_STEPS: Final = 1_000_000
"""Most steps that one place of a value may cost: about a hundredth of a second."""

_NEVER: Final = 10**12

_LISTED: Final = (("allOf", "all"), ("anyOf", "anyOf"), ("oneOf", "oneOf"), ("prefixItems", "one"), ("items", "one"))
_SINGLE: Final = (
    ("not", "not"),
    ("if", "if"),
    *((keyword, "all") for keyword in ("then", "else")),
    *((keyword, "below") for keyword in sorted(ONE - {"not", "if", "then", "else", "contentSchema"})),
)
_NAMED: Final = (
    *((keyword, "all") for keyword in ("dependentSchemas", "dependencies")),
    ("patternProperties", "each"),
    ("properties", "one"),
)
"""Keywords by the form of their value, with how they ask: all or some of the same value, or of what lies below it."""

_Count: TypeAlias = Generator[Target | int, int, None]
"""Yields the nodes whose counts it needs, is sent each count, and yields its own count last."""


class _Files(Protocol):
    @property
    def resources(self) -> dict[str, Resource]: ...

    def targets(self, path: str) -> dict[Pointer, Target]: ...


class Work:
    """
    Counts for the schemas of one text and of the definitions that it reaches.

    Args:
        path: The text's; ``""`` for a schema of an event.
        resource: The text.
        files: The definitions.
        targets: Where the text's references lead.
    """

    def __init__(self, path: str, resource: Resource, files: _Files, targets: dict[Pointer, Target]) -> None:
        self._path = path
        self._resource = resource
        self._files = files
        self._own = targets
        self._steps: dict[Target, int] = {}

    def steps(self, pointer: Pointer) -> int:
        """Steps that one place of a value may cost under the schema at a place, with what lies below it."""
        return self._count(Target(self._path, pointer))

    def too_much(self, roots: tuple[Pointer, ...]) -> Iterator[SchemaFinding]:
        """GS411 for the innermost schema of this text that costs more than `MAX_STEPS`, if a root does."""
        for root in roots:
            if self.steps(root) > MAX_STEPS:
                # Counted from the inside out: the first that is over the limit is the innermost.
                first = next(node for node, count in self._steps.items() if count > MAX_STEPS)
                yield SchemaFinding(
                    "GS411",
                    f"checking one value may take more than {MAX_STEPS:,} steps: alternatives in alternatives multiply",
                    first.pointer if first.resource == self._path else root,
                    on_key=True,
                    label="too much work",
                    help="refer to one schema once on each level, and tell alternatives apart by a `const`",
                )
                return

    def _count(self, node: Target) -> int:
        """
        The steps of a node from those of others, without recursion: schemas refer to each other in long rows.

        A node that is reached from itself counts as one there: the engine remembers what it found.
        """
        known = self._steps
        if node in known:
            return known[node]
        stack = [(node, self._steps_of(node))]
        running = {node}
        answer: int | None = None
        while stack:
            current, generator = stack[-1]
            asked = generator.send(answer) if answer is not None else next(generator)
            answer = None
            if isinstance(asked, int):
                known[current] = min(asked, _NEVER)
                running.discard(current)
                stack.pop()
                answer = known[current]
            elif asked in known:
                answer = known[asked]
            elif asked in running:
                answer = 1
            else:
                stack.append((asked, self._steps_of(asked)))
                running.add(asked)
        return known[node]

    def _steps_of(self, node: Target) -> _Count:
        schema = self._schema(node)
        total, most, each = 1, 0, 0
        for kind, inner in self._inner(node, schema):
            count = yield inner
            if kind == "one":
                most = max(most, count)
            elif kind in ("each", "below"):
                each += count
            else:
                total += count
        yield total + most + each

    def _schema(self, node: Target) -> Any:
        resource = self._resource if node.resource == self._path else self._files.resources.get(node.resource)
        return None if resource is None else at(resource.data, node.pointer)

    def _inner(self, node: Target, schema: Any) -> Iterator[tuple[str, Target]]:
        """The schemas that a schema asks, each with how: about the same value, or about what lies below."""
        if not isinstance(schema, dict):
            return
        targets = self._own if node.resource == self._path else self._files.targets(node.resource)
        target = targets.get(node.pointer)
        if target is not None:
            yield "all", target

        def at_(*steps: str | int) -> Target:
            return Target(node.resource, (*node.pointer, *steps))

        for keyword, kind in _LISTED:
            branches = schema.get(keyword)
            for number in range(len(branches)) if isinstance(branches, list) else ():
                yield kind, at_(keyword, number)
        for keyword, kind in _SINGLE:
            if isinstance(schema.get(keyword), dict):
                yield kind, at_(keyword)
        for keyword, kind in _NAMED:
            named = schema.get(keyword)
            for name, inner in named.items() if isinstance(named, dict) else ():
                if isinstance(inner, dict):
                    yield kind, at_(keyword, name)


def parts_of(value: JSONValue) -> int:
    """How many values a value is made of, itself included; text counts by its length too."""
    count = 0
    pending: list[Any] = [value]
    while pending:
        current = pending.pop()
        count += 1
        if isinstance(current, dict):
            pending += current.values()
        elif isinstance(current, list):
            pending += current
        elif isinstance(current, str):
            count += len(current) // 64
    return count
