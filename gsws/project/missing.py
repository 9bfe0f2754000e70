"""
Plugins that a project needs and that are not there: one finding each, with what hangs on it.

Whether a plugin is there is seen by `gsws.project.sources`, file by file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gsws.diagnostics.finding import Finding, Label, error
from gsws.project.events import Draft
from gsws.project.sources import KNOWN_TYPES, CheckedFile

__all__ = ["absent_sources", "missing_plugins", "without_plugin"]


def absent_sources(checked: Mapping[str, CheckedFile]) -> frozenset[str]:
    """The sources whose plugin is not there; their events are not ours to judge."""
    return frozenset(name for name, one in checked.items() if one.absent)


def missing_plugins(
    sources: Mapping[str, CheckedFile], datasources: Iterable[CheckedFile], drafts: Iterable[Draft]
) -> Iterator[Finding]:
    """GS701 once for each plugin that files name and nobody has installed."""
    users: dict[str, list[CheckedFile]] = {}
    for one in (*sources.values(), *datasources):
        if one.absent:
            users.setdefault(one.absent, []).append(one)
    events: dict[str, int] = {}
    for draft in drafts:
        for name, _ in draft.keys:
            if name in sources and sources[name].absent:
                events[sources[name].absent] = events.get(sources[name].absent, 0) + 1
    for type, (first, *others) in users.items():
        needs = []
        if others:
            needs.append(f"{len(others) + 1} files")
        if type in events:
            needs.append(f"{events[type]} event{'s' if events[type] > 1 else ''}")
        more = f" ({' and '.join(needs)} need it)" if needs else ""
        yield error(
            "GS701",
            f"the plugin `{type}` ({KNOWN_TYPES[type]}) is configured but not installed{more}",
            first.type_span,
            "not installed",
            without_plugin(type, "remove the file" if not events.get(type) else "remove the file and its events"),
            [Label(one.type_span, "here too") for one in others],
        )


def without_plugin(type: str, otherwise: str) -> str:
    """What to do about a plugin of the original framework, of which gsws has none."""
    return f"no plugin `{type}` comes with gsws: {otherwise}, or write the plugin (docs/how-to/write-a-plugin.md)"
