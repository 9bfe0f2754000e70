"""What plugins get from a running service: the contract's `SourceContext`, for sources and for datasources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsws.errors import ServeError
from gsws.plugins.contract import ListenerHandle

if TYPE_CHECKING:
    from gsws.runtime.service import Service

__all__ = ["Context", "DatasourceContext"]


@dataclass(frozen=True, slots=True)
class Context:
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
        return self.service.project.environ

    @property
    def logger(self) -> Any:
        return self.service.logger.bind(source=self.name)

    @property
    def listen(self) -> Callable[[Any], ListenerHandle]:
        return lambda config: self.service.listen(self.name, config)


class DatasourceContext(Context):
    """The same for a datasource, which has no port."""

    __slots__ = ()

    @property
    def logger(self) -> Any:
        return self.service.logger.bind(datasource=self.name)

    @property
    def listen(self) -> Callable[[Any], ListenerHandle]:
        raise ServeError(f"datasource `{self.name}` asked for a port; only event sources have one")
