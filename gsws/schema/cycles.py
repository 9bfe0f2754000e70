"""
References that lead in a circle which no value ever ends: ``a: {$ref: '#/b'}``, ``b: {$ref: '#/a'}``.

A tree that refers to itself through optional properties or items ends, and is fine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from gsws.schema.finding import SchemaFinding
from gsws.schema.references import Resource, Target, at
from gsws.text.span import Pointer

__all__ = ["endless"]


class _Files(Protocol):
    @property
    def resources(self) -> dict[str, Resource]: ...

    def targets(self, path: str) -> dict[Pointer, Target]: ...


def endless(
    path: str, resource: Resource, files: _Files, targets: dict[Pointer, Target] | None = None
) -> Iterator[SchemaFinding]:
    """
    References of a resource that are part of a circle without an end.

    A schema ends if everything that each of its values must fit ends: what ``$ref`` and ``allOf`` name, one branch of
    ``anyOf`` and ``oneOf``, required properties of an object, the first items of an array. What is not reached from
    schemas that end is endless.

    Args:
        path: The resource's.
        resource: Whose references are judged.
        files: The definitions.
        targets: Where the resource's own references lead, if it is not among the files.
    """
    own = files.targets(path) if targets is None else targets
    if not own:
        return
    solver = _Solver(path, resource, files, own)
    start = [Target(path, pointer) for pointer in own]
    ending = solver.ending(start)
    if len(ending) == len(solver.reached):
        return
    circles = solver.circles(ending)
    for pointer, target in own.items():
        node = Target(path, pointer)
        if node in circles and circles[node] == circles.get(target):
            yield SchemaFinding(
                "GS405",
                "following this `$ref` never ends, so no value fits",
                (*pointer, "$ref"),
                label="leads back here",
                help="let the value end somewhere: make the property optional, or refer to itself through `items`",
            )


class _Solver:
    def __init__(self, path: str, resource: Resource, files: _Files, own: dict[Pointer, Target]) -> None:
        self._path = path
        self._resource = resource
        self._files = files
        self._own = own
        self._needs: dict[Target, tuple[list[Target], list[list[Target]]]] = {}
        self.reached: dict[Target, None] = {}

    def ending(self, start: list[Target]) -> set[Target]:
        """The schemas among those reachable from ``start`` that some finite value may fit."""
        self._reach(start)
        waiting: dict[Target, list[Target]] = {}
        for node in self.reached:
            every, choices = self._needs[node]
            for need in {*every, *(branch for choice in choices for branch in choice)}:
                waiting.setdefault(need, []).append(node)
        ending: set[Target] = set()
        pending = list(reversed(self.reached))
        while pending:
            node = pending.pop()
            every, choices = self._needs[node]
            if (
                node not in ending
                and all(need in ending for need in every)
                and all(any(branch in ending for branch in choice) for choice in choices)
            ):
                ending.add(node)
                pending += waiting.get(node, ())
        return ending

    def circles(self, ending: set[Target]) -> dict[Target, int]:
        """The schemas that do not end, by the circle that each is part of (Tarjan, 1972)."""
        number: dict[Target, int] = {}
        lowest: dict[Target, int] = {}
        circles: dict[Target, int] = {}
        row: list[Target] = []
        for start in self.reached:
            if start in ending or start in number:
                continue
            stack = [(start, self._next(start, ending))]
            number[start] = lowest[start] = len(number)
            row.append(start)
            while stack:
                node, rest = stack[-1]
                other = next(rest, None)
                if other is None:
                    stack.pop()
                    if stack:
                        above = stack[-1][0]
                        lowest[above] = min(lowest[above], lowest[node])
                    if lowest[node] == number[node]:
                        while True:
                            member = row.pop()
                            circles[member] = number[node]
                            if member == node:
                                break
                elif other not in number:
                    number[other] = lowest[other] = len(number)
                    row.append(other)
                    stack.append((other, self._next(other, ending)))
                elif other not in circles:
                    lowest[node] = min(lowest[node], number[other])
        return circles

    def _next(self, node: Target, ending: set[Target]) -> Iterator[Target]:
        every, choices = self._needs[node]
        return (one for one in (*every, *(branch for choice in choices for branch in choice)) if one not in ending)

    def _reach(self, start: list[Target]) -> None:
        pending = list(start)
        while pending:
            node = pending.pop()
            if node not in self.reached:
                self.reached[node] = None
                every, choices = self._needs_of(node)
                pending += every
                for choice in choices:
                    pending += choice

    def _needs_of(self, node: Target) -> tuple[list[Target], list[list[Target]]]:
        if node not in self._needs:
            self._needs[node] = self._compute(node)
        return self._needs[node]

    def _compute(self, node: Target) -> tuple[list[Target], list[list[Target]]]:
        resource = self._resource if node.resource == self._path else self._files.resources.get(node.resource)
        schema: Any = None if resource is None else at(resource.data, node.pointer)
        if not isinstance(schema, dict):
            return [], []
        targets = self._own if node.resource == self._path else self._files.targets(node.resource)
        every = [targets[node.pointer]] if node.pointer in targets else []
        choices: list[list[Target]] = []

        def inner(*steps: str | int) -> Target:
            return Target(node.resource, (*node.pointer, *steps))

        for keyword, gather in (("allOf", every), ("anyOf", None), ("oneOf", None)):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                nodes = [inner(keyword, number) for number in range(len(branches))]
                if gather is None:
                    choices.append(nodes)
                else:
                    gather.extend(nodes)
        properties = schema.get("properties")
        if schema.get("type") == "object" and isinstance(properties, dict):
            required = schema.get("required")
            names = required if isinstance(required, list) else []
            every += [inner("properties", name) for name in names if isinstance(name, str) and name in properties]
        if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
            count, skipped = schema.get("minItems"), len(schema.get("prefixItems") or ())
            if isinstance(count, int) and count > skipped:
                every.append(inner("items"))
        return every, choices
