"""What plugins get from a running service: the contract's `SourceContext`, for sources and for datasources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsws.errors import ServeError
from gsws.plugins.contract import ListenerHandle
from gsws.types import Count

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

    def push(
        self,
        eventtype: str,
        payload: Any = None,
        *,
        room: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        source: str | None = None,
    ) -> Count:
        return self.service.pushes.push(
            eventtype,
            payload,
            room=room,
            subject=subject,
            client_id=client_id,
            connection=connection,
            source=source,
            default=self.default_source,
        )

    def disconnect(
        self,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        code: int = 4504,
        reason: str = "",
        source: str | None = None,
    ) -> Count:
        return self.service.pushes.disconnect(
            subject=subject, client_id=client_id, connection=connection, code=code, reason=reason, source=source
        )

    @property
    def default_source(self) -> str | None:
        """Whose clients a push means that names no source."""
        return self.name

    @property
    def listen(self) -> Callable[[Any], ListenerHandle]:
        return lambda config: self.service.listen(self.name, config)


class DatasourceContext(Context):
    """The same for a datasource, which has no port."""

    __slots__ = ()

    @property
    def default_source(self) -> str | None:
        return None

    @property
    def logger(self) -> Any:
        return self.service.logger.bind(datasource=self.name)

    @property
    def listen(self) -> Callable[[Any], ListenerHandle]:
        raise ServeError(f"datasource `{self.name}` asked for a port; only event sources have one")
