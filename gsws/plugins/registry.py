"""
Which plugins are installed, loaded one by one and kept apart from each other's faults.

Names are read from entry points without importing anything; a plugin is imported when its type is
asked for. A plugin that raises, exits or breaks the contract becomes an `InstalledPlugin` with an
``error`` that names it; nothing here raises on account of a plugin. Installing is `install`'s.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from gsws.__about__ import __version__
from gsws.plugins.contract import ENTRY_POINT_GROUP, Plugin, SourceType
from gsws.project.specs import PluginFacts

__all__ = ["InstalledPlugin", "Registry", "canonical_name", "facts", "registry"]

_REQUIRED = ("type", "source_type", "config_file_name", "default_config", "config_schema", "create")
_SOURCE_TYPES: Mapping[str, SourceType] = {
    "eventsource": "eventsource",
    "event source": "eventsource",
    "es": "eventsource",
    "datasource": "datasource",
    "ds": "datasource",
    "both": "both",
}


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """
    One entry point of the group `gsws.plugins`.

    Attributes:
        type: The entry point's name: the word after ``type:`` in YAML.
        distribution: The package it came in, e.g. ``gsws-plugin-ticker``.
        version: That package's version.
        built_in: Whether it is part of gsws.
        plugin: The plugin, or None if it cannot be used.
        source_type: What it makes, or None if it cannot be used.
        requires_gsws: Versions of gsws it works with, or None for any.
        error: Why it cannot be used, one sentence that names it; None if it can.
        rivals: Other packages that give the same type; not empty means ambiguous, hence an error.
        outdated: Whether ``error`` is about the version of gsws.
    """

    type: str
    distribution: str
    version: str
    built_in: bool
    plugin: Plugin | None
    source_type: SourceType | None
    requires_gsws: str | None = None
    error: str | None = None
    rivals: tuple[str, ...] = ()
    outdated: bool = False

    @property
    def origin(self) -> str:
        """Where it comes from, for people: ``built in`` or ``gsws-plugin-ticker 0.2.0``."""
        return "built in" if self.built_in else f"{self.distribution} {self.version}".strip()

    @property
    def config_text(self) -> str | None:
        """The commented YAML that the plugin wants written, if it has one of its own."""
        try:
            text = getattr(self.plugin, "config_text", None)
        except Exception:  # a plugin's property is foreign code; the dump of its defaults stands in
            return None
        return text if isinstance(text, str) else None


class Registry(Mapping[str, InstalledPlugin]):
    """
    The installed plugins by type.

    Iteration and ``in`` read names only; a plugin is imported by ``registry[type]``, once.
    """

    def __init__(self) -> None:
        self._points: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, InstalledPlugin] = {}

    def __getitem__(self, type: str) -> InstalledPlugin:
        if type not in self._loaded:
            self._loaded[type] = _load(type, self._found()[type])
        return self._loaded[type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def __contains__(self, type: object) -> bool:
        return type in self._found()

    def refresh(self) -> None:
        """Look again, after a package was installed or removed in this process."""
        importlib.invalidate_caches()
        self._points = None
        self._loaded.clear()

    def _found(self) -> dict[str, list[EntryPoint]]:
        if self._points is None:
            self._points = _entry_points()
        return self._points


registry = Registry()
"""The plugins of this environment."""


class _Facts(Mapping[str, PluginFacts]):
    """What the project model needs to know of each plugin; imports a plugin when its facts are read."""

    def __init__(self, plugins: Mapping[str, InstalledPlugin]) -> None:
        self._plugins = plugins
        self._facts: dict[str, PluginFacts] = {}

    def __getitem__(self, type: str) -> PluginFacts:
        if type not in self._facts:
            self._facts[type] = _facts_of(self._plugins[type])
        return self._facts[type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plugins)

    def __len__(self) -> int:
        return len(self._plugins)

    def __contains__(self, type: object) -> bool:
        return type in self._plugins


def facts(plugins: Mapping[str, InstalledPlugin] = registry) -> Mapping[str, PluginFacts]:
    """
    The plugins as `gsws.project.load_project` takes them.

    Returns:
        A lazy mapping: its keys cost no import, a value imports that one plugin.
    """
    return _Facts(plugins)


def canonical_name(name: str) -> str:
    """A package name in the form that the index compares (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _entry_points() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    seen: set[tuple[str, str, str]] = set()
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        # One package may be seen twice on the path, as installed and as checkout; that is no rivalry.
        key = (point.name, point.value, canonical_name(_distribution(point)[0]))
        if key not in seen:
            seen.add(key)
            found.setdefault(point.name, []).append(point)
    return found


def _load(type: str, points: list[EntryPoint]) -> InstalledPlugin:
    point = next((point for point in points if _distribution(point)[0] == "gsws"), points[0])
    distribution, version = _distribution(point)
    base = InstalledPlugin(type, distribution, version, distribution == "gsws", None, None)
    rivals = tuple(" ".join(_distribution(other)) for other in points if other is not point)
    if rivals:
        names = " and ".join(f"`{name}`" for name in dict.fromkeys((f"{distribution} {version}", *rivals)))
        return replace(base, error=f"two plugins give the type `{type}`: {names}", rivals=rivals)
    try:
        # What a plugin prints while it is imported must not end up in the results on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            plugin = point.load()
            if inspect.isclass(plugin):
                plugin = plugin()
            return _checked(base, plugin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = f"{error.__class__.__name__}: {error}" if str(error) else error.__class__.__name__
        return replace(base, error=f"the plugin `{type}` ({base.origin}) cannot be loaded: {_one_line(reason)}")


def _checked(base: InstalledPlugin, plugin: Any) -> InstalledPlugin:
    who = f"the plugin `{base.type}` ({base.origin})"
    missing = [name for name in _REQUIRED if not hasattr(plugin, name)]
    if missing:
        return replace(base, error=f"{who} lacks {', '.join(f'`{name}`' for name in missing)}")
    requires = getattr(plugin, "requires_gsws", None)
    if requires is not None:
        if not isinstance(requires, str) or (fits := _version_fits(requires)) is None:
            return replace(base, error=f"{who} states no valid version requirement: `requires_gsws` is {requires!r}")
        if not fits:
            message = f"{who} needs gsws {requires}, this is {__version__}"
            return replace(base, error=message, requires_gsws=requires, outdated=True)
    source_type = _SOURCE_TYPES.get(str(plugin.source_type).lower())
    wrong = None
    if plugin.type != base.type:
        wrong = f"has the type {plugin.type!r}, but its entry point is named `{base.type}`"
    elif source_type is None:
        wrong = f"has the source_type {plugin.source_type!r}; expected `eventsource`, `datasource` or `both`"
    elif not isinstance(plugin.config_file_name, str) or not re.fullmatch(r"[\w-]{1,64}", plugin.config_file_name):
        wrong = f"has the config_file_name {plugin.config_file_name!r}; expected a plain file name without `.yaml`"
    elif not isinstance(plugin.default_config, Mapping):
        wrong = "has a `default_config` that is no mapping"
    elif not isinstance(plugin.config_schema, Mapping):
        wrong = "has a `config_schema` that is no mapping"
    elif not callable(plugin.create):
        wrong = "has a `create` that cannot be called"
    if wrong is not None:
        return replace(base, error=f"{who} {wrong}")
    return replace(base, plugin=cast("Plugin", plugin), source_type=source_type, requires_gsws=requires)


def _facts_of(found: InstalledPlugin) -> PluginFacts:
    plugin = found.plugin
    return PluginFacts(
        type=found.type,
        source_type=found.source_type or "both",  # an unusable one is reported wherever it is asked for
        schema=plugin.config_schema if plugin is not None else {},
        defaults=plugin.default_config if plugin is not None else {},
        origin=found.origin,
        error=found.error,
        error_code="GS703" if found.rivals else "GS702" if found.outdated else "GS701",
    )


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("unknown package", "")


def _version_fits(requirement: str) -> bool | None:
    """Whether this gsws satisfies ``requirement``; None if that is no requirement."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requirement).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        return None


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
