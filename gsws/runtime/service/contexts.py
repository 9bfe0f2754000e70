"""What plugins get from a running service: the contract's `SourceContext`, for sources and for datasources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsws.errors import ServeError
from gsws.plugins.contract import ListenerHandle
from gsws.plugins.listening import ListenConfig
from gsws.routing.pushing import Pushes, Pushing

if TYPE_CHECKING:
    from gsws.runtime.service import Service

__all__ = ["Context", "DatasourceContext", "Environ"]


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
    """The contract's `SourceContext` for one event source."""

    service: Service
    name: str

    @property
    def environment(self) -> str:
        return self.service.project.env

    @property
    def base(self) -> Path:
        return self.service.project.base

    @property
    def environ(self) -> Mapping[str, str]:
        kind = "datasource" if isinstance(self, DatasourceContext) else "source"
        return Environ(self.service.project.environ, self.service.looked_up.setdefault((kind, self.name), {}))

    @property
    def logger(self) -> Any:
        return self.service.logger.bind(source=self.name)

    @property
    def _pushes(self) -> Pushes:
        return self.service.pushes

    @property
    def _own_source(self) -> str | None:
        return self.name

    @property
    def listen(self) -> Callable[[ListenConfig], ListenerHandle]:
        return lambda config: self.service.listen(self.name, config)


class DatasourceContext(Context):
    """The same for a datasource, which has no port."""

    __slots__ = ()

    @property
    def _own_source(self) -> str | None:
        return None

    @property
    def logger(self) -> Any:
        return self.service.logger.bind(datasource=self.name)

    @property
    def listen(self) -> Callable[[ListenConfig], ListenerHandle]:
        raise ServeError(f"datasource `{self.name}` asked for a port; only event sources have one")
