"""
Datasources: long-lived clients, built once before the handlers are imported, closed at the end.

Both happen on the loop's own thread, where handlers use them: a connection to SQLite, a lock or a client of a network
library belongs to the thread and the loop that made it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Set
from typing import Any, TypeAlias

from gsws.diagnostics import Finding, Severity
from gsws.errors import GSWSError, ServeError
from gsws.plugins.registry import Registry
from gsws.project.specs import DatasourceSpec
from gsws.routing.modules import FUNCTIONS, ModuleSet
from gsws.runtime.service.contexts import Context, Kind

ContextOf: TypeAlias = Callable[[Kind, str], Context]

__all__ = ["build_datasources", "close_datasource", "stale_datasources"]


async def build_datasources(
    specs: Mapping[str, DatasourceSpec],
    plugins: Registry,
    modules: ModuleSet,
    context_of: ContextOf,
    built: dict[str, Any],
) -> list[Finding]:
    """
    Build every datasource of a project.

    Args:
        specs: By name.
        plugins: Where types come from.
        modules: Where the project's own factories come from.
        context_of: Makes what a plugin is given.
        built: Filled by name.

    Returns:
        One GS215 for each that failed.
    """
    findings = []
    for name, spec in specs.items():
        try:
            built[name] = await _build(spec, plugins, modules, context_of)
        except Exception as error:
            # Ours are sentences; of others the type is half of what they say.
            reason = str(error) if isinstance(error, GSWSError) else f"{type(error).__name__}: {error}"
            message = f"datasource `{name}` cannot be built: {reason}"
            findings.append(
                Finding("GS215", Severity.ERROR, message, spec.span, "asked for here", _help(error, reason))
            )
    return findings


async def close_datasource(name: str, datasource: Any, logger: Any) -> None:
    """Call ``aclose`` or ``close`` of a datasource, if it has one, within a deadline."""
    close = getattr(datasource, "aclose", None) or getattr(datasource, "close", None)
    if not callable(close):
        return
    try:
        async with asyncio.timeout(5.0):
            result = close()
            if inspect.isawaitable(result):
                await result
    except Exception as error:
        logger.error("datasource failed to close", datasource=name, exc_info=error)


def stale_datasources(
    built: Mapping[str, DatasourceSpec],
    before: Mapping[str, DatasourceSpec],
    now: Mapping[str, DatasourceSpec],
    imported: Set[str],
) -> list[str]:
    """
    Name the datasources that a change has made unlike those that run; they are built once.

    Args:
        built: What those that run were made of.
        before: What the revision before said.
        now: What this one says.
        imported: The modules that were imported anew.
    """

    def said(specs: Mapping[str, DatasourceSpec], name: str) -> tuple[Any, ...] | None:
        spec = specs.get(name)
        return None if spec is None else (spec.type, spec.handler and spec.handler.callable, spec.config)

    stale = {name for name in {*built, *now} if said(now, name) not in (said(built, name), said(before, name))}
    stale |= {name for name, spec in built.items() if spec.handler and f"{FUNCTIONS}.{spec.handler.module}" in imported}
    return sorted(stale)


def _help(error: Exception, said: str) -> str | None:
    """What an error of ours advises, unless its sentence says so already."""
    advice = getattr(error, "help", None) if isinstance(error, GSWSError) else None
    return advice if advice and advice not in said else None


async def _build(spec: DatasourceSpec, plugins: Registry, modules: ModuleSet, context_of: ContextOf) -> Any:
    """Call the plugin, or the project's own factory with the file's keys if it takes an argument."""
    if spec.handler is None:
        installed = plugins[spec.type or ""]
        if installed.plugin is None:
            raise ServeError(installed.error or f"no plugin for `type: {spec.type}`")
        made = installed.plugin.create(spec.config, context_of("datasource", spec.name))
    else:
        factory = getattr(modules.load(spec.handler.module), spec.handler.callable)
        made = factory(*((spec.config,) if inspect.signature(factory).parameters else ()))
    return await made if inspect.isawaitable(made) else made
