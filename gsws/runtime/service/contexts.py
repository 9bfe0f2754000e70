"""What plugins get from a running service: the contract's `SourceContext`, for sources and for datasources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from gsws.errors import ServeError
from gsws.plugins.contract import ListenerHandle
from gsws.plugins.listening import ListenConfig
from gsws.project.project import Project
from gsws.routing.pushing import Pushes, Pushing

__all__ = ["Context", "Environ", "Kind"]

Kind: TypeAlias = Literal["source", "datasource"]


class Environ(Mapping[str, str]):
    """
    Environment variables that keep note of which were looked up.

    Args:
        variables: By name.
        looked_up: Filled with the values that were given, None for what was not there.
    """

    def __init__(self, variables: Mapping[str, str], looked_up: dict[str, str | None]) -> None:
        self._variables = variables
        self._looked_up = looked_up

    def __getitem__(self, name: str) -> str:
        self._looked_up[name] = self._variables.get(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


@dataclass(frozen=True, slots=True)
class Context(Pushing):
    """
    The contract's `SourceContext`, for an event source or a datasource.

    Attributes:
        kind: Which of them.
        name: Its name.
        project: The project as it was when this was made.
        logger: Bound to the name.
        pushes: What is pushed into the service.
        looked_up: Filled with the variables that were read.
        opens: Makes a port; None for a datasource, which has none.
    """

    kind: Kind
    name: str
    project: Project
    logger: Any
    pushes: Pushes
    looked_up: dict[str, str | None]
    opens: Callable[[ListenConfig], ListenerHandle] | None = None

    @property
    def environment(self) -> str:
        return self.project.env

    @property
    def base(self) -> Path:
        return self.project.base

    @property
    def environ(self) -> Mapping[str, str]:
        return Environ(self.project.environ, self.looked_up)

    @property
    def listen(self) -> Callable[[ListenConfig], ListenerHandle]:
        if self.opens is None:
            raise ServeError(f"{self.kind} `{self.name}` asked for a port; only event sources have one")
        return self.opens

    @property
    def _pushes(self) -> Pushes:
        return self.pushes

    @property
    def _own_source(self) -> str | None:
        return self.name if self.kind == "source" else None
