"""
What a reload cannot take over, because it was made at the start: told by name, so that nothing seems to be live.

Keys of ``eventsources/`` that need a restart are the source's own; see `gsws.runtime.service`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import fields
from typing import Final

from gsws.project.project import Project
from gsws.project.specs import DatasourceSpec, LogSpec, Settings
from gsws.runtime.service.datasources import stale_datasources

__all__ = ["LIVE_SETTINGS", "fixed_at_start"]

LIVE_SETTINGS: Final = frozenset(
    {"name", "version", "drain_timeout", "log", "resume", "telemetry", "lifespan", "written"}
)
"""
Keys of gsws.yaml that a reload takes over, or that nothing keeps (``telemetry`` has no effect at all). ``lifespan`` is
told of by the service, which knows whether its code is another one too; of ``log`` the level alone is live.
"""


def fixed_at_start(
    before: Project,
    now: Project,
    built: Mapping[str, DatasourceSpec],
    imported: Set[str],
    looked_up: Mapping[tuple[str, str], Mapping[str, str | None]],
) -> Iterator[tuple[str, str, list[str]]]:
    """
    Name what differs between two revisions and counts after a restart only.

    Args:
        before: The project as it was served so far.
        now: The project as it is served from now on.
        built: What the datasources that run were made of.
        imported: Modules that were imported anew.
        looked_up: What datasources and sources read of the environment: (kind, name) → variable → value.

    Yields:
        What it concerns (``datasource``, ``source``, or nothing for gsws.yaml), its name, and the keys: of the file,
        or names of variables. No value.
    """
    keys = sorted(
        field.name
        for field in fields(Settings)
        if field.name not in LIVE_SETTINGS and getattr(before.settings, field.name) != getattr(now.settings, field.name)
    )
    keys += sorted(
        f"log.{field.name}"
        for field in fields(LogSpec)
        if field.name != "level" and getattr(before.settings.log, field.name) != getattr(now.settings.log, field.name)
    )
    if keys:
        yield "file", "gsws.yaml", keys
    for name in stale_datasources(built, before.datasources, now.datasources, imported):
        yield "datasource", name, _keys(built.get(name), now.datasources.get(name))
    for (kind, name), values in looked_up.items():
        changed = sorted(
            variable
            for variable, value in values.items()
            if now.environ.get(variable) not in (value, before.environ.get(variable))
        )
        if changed:
            yield kind, name, changed


def _keys(before: DatasourceSpec | None, now: DatasourceSpec | None) -> list[str]:
    """The keys of a datasource's file that differ; empty if its code does."""
    if before is None or now is None:
        return ["type"] if (before or now) and (before or now).type else ["fn"]  # type: ignore[union-attr]  # one is there
    config = before.config.keys() | now.config.keys()
    return sorted(key for key in config if before.config.get(key) != now.config.get(key)) or ["fn"]
