"""What ``ctx.functions`` is: the project's handlers by name. Routes to them are built in `gsws.routing.table`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gsws.project.project import Project
from gsws.routing.modules import ModuleSet

__all__ = ["Functions"]


class Functions(Mapping[str, Any]):
    """The project's handlers by dotted name, imported when they are asked for."""

    __slots__ = ("_handlers", "_modules")

    def __init__(self, project: Project, modules: ModuleSet) -> None:
        self._handlers = project.handlers
        self._modules = modules

    def __getitem__(self, name: str) -> Any:
        reference = self._handlers.find(name)
        if reference is None:
            raise KeyError(name)
        return getattr(self._modules.load(reference.module), reference.callable)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no function `{name}` under functions/") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers.names())

    def __len__(self) -> int:
        return len(self._handlers.names())
