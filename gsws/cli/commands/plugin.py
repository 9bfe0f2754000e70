"""`gsws plugin add | remove | list | info`: what changes a project, and what is installed and who uses it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from gsws.cli import output, sources
from gsws.cli.current_project import load_current
from gsws.cli.plugins import checked_type, listed, usable
from gsws.cli.sources import refresh
from gsws.cli.suggest import did_you_mean
from gsws.errors import EnvironmentFailure, PluginError
from gsws.plugins.install import PREFIX, Requirements, install
from gsws.plugins.registry import InstalledPlugin, registry
from gsws.project import DatasourceSpec, Project, SourceSpec, find_root, load_project
from gsws.scaffold.names import check_source_name

__all__ = ["add", "remove", "show", "show_all"]


def add(type: str, *, name: str | None, as_json: bool) -> int:
    """
    Write the YAML of a source of ``type``, after installing the plugin if it is not there.

    Doing it twice is fine: the second time nothing is written and the exit code is 0.

    Raises:
        Failure: Exit 2 for a name that is none or a likely typing error, 1 for something in the way.
        EnvironmentFailure: If the plugin cannot be installed; the project is then as it was.
    """
    type = checked_type(type)
    if name is not None:
        check_source_name(name)
    project = load_current()
    requirements = None
    installed = False
    if type not in registry:
        _refuse_typing_error(type)
        requirements = _requirements(project)
        output.note(f"installing {PREFIX}{type} into {sys.prefix}")
        plugin = install(type, registry)
        installed = True
    else:
        plugin = usable(type)

    source = name if name is not None else plugin.plugin.config_file_name if plugin.plugin is not None else type
    there = sources.find(project, source, (sources.folder_of(plugin),))
    if there is not None:
        _same_type(project, there, source, type)
    planned = None if there is not None else sources.plan(project, plugin, source)
    path = planned.path if planned is not None else sources.relative(project, there) if there is not None else ""
    noted = False
    if not plugin.built_in:
        requirements = requirements or _requirements(project)
        noted = _note_requirement(project, requirements, plugin, planned)
    elif planned is not None:
        sources.write(project, planned)
    refresh(project.root)

    if as_json:
        return output.result_json(
            {
                "ok": True,
                "type": type,
                "source": source,
                "path": path,
                "written": planned is not None,
                "installed": installed,
                "required": noted,
            }
        )
    if planned is None:
        output.result(f"{path} is there already; nothing changed")
        return output.GOOD
    output.result(f"wrote {path}")
    if planned.port is not None:
        output.note(f"  on port {planned.port}, because another source has the default one")
    if plugin.source_type != "datasource" and not any(event.source == source for event in project.events):
        output.note(f"next: gsws new event {source}.hello")
    return output.GOOD


def remove(name: str, *, yes: bool, as_json: bool) -> int:
    """
    Remove a source's YAML; asks on a terminal if a person has edited it.

    Raises:
        Failure: If there is no such source (exit 1), or it was edited and nobody can be asked.
    """
    check_source_name(name)
    project = load_current()
    path = sources.find(project, name)
    if path is None:
        known = [*project.sources, *project.datasources]
        raise output.Failure(
            f"no source `{name}` in this project",
            did_you_mean(name, known) or (f"there is {listed(known)}" if known else None),
        )
    shown = sources.relative(project, path)
    if not yes and _edited(project, path, name):
        unasked = output.Failure(f"`{shown}` is not as `gsws plugin add` wrote it", "`--yes` removes it all the same")
        if not output.confirmed(f"{shown} was edited. Remove it?", unasked):
            return output.FAILED
    orphans = [event for event in project.events if event.source == name]
    source = project.sources.get(name)
    with output.refusing(f"cannot remove `{shown}`"):
        path.unlink()
    if as_json:
        return output.result_json(
            {"ok": True, "source": name, "path": shown, "orphans": [event.key for event in orphans]}
        )
    output.result(f"removed {shown}")
    if orphans:
        first = orphans[0]
        more = f" and {len(orphans) - 1} more" if len(orphans) > 1 else ""
        output.warn(
            f"`{first.key}`{more} used it ({first.path}:{first.span.line})",
            "remove these events, or give them another source",
        )
    if source is not None and source.type in registry and not registry[source.type].built_in:
        output.note(f"the package {registry[source.type].distribution} stays installed")
    return output.GOOD


def _refuse_typing_error(type: str) -> None:
    """Nothing is fetched for a word that is nearly an installed plugin's name."""
    near = did_you_mean(type, registry)
    if near is not None:
        raise output.misuse(f"no plugin `{type}` is installed", f"{near} Nothing was looked for or installed")


def _requirements(project: Project) -> Requirements | None:
    path = project.root / "pyproject.toml"
    if not path.is_file():
        return None
    try:
        return Requirements(path)
    except PluginError as error:
        raise output.Failure(str(error), "mend it first; nothing was installed or written") from None


def _note_requirement(
    project: Project, requirements: Requirements | None, plugin: InstalledPlugin, planned: sources.Planned | None
) -> bool:
    """Write `pyproject.toml` and the source together, or neither."""
    path = project.root / "pyproject.toml"
    before = path.read_bytes() if requirements is not None else b""
    noted = False
    try:
        if requirements is not None:
            noted = requirements.add(plugin.distribution, re.split(r"[+]", plugin.version)[0])
        if planned is not None:
            sources.write(project, planned)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write `pyproject.toml`: {error.strerror or error}") from None
    except BaseException:
        if noted:
            path.write_bytes(before)
        raise
    if requirements is None or not (noted or requirements.has(plugin.distribution)):
        output.warn(f"`{plugin.distribution}` is in no list of requirements", "add it where this project keeps them")
    elif noted:
        output.note(f"added {plugin.distribution} to pyproject.toml")
    return noted


def _same_type(project: Project, path: Path, name: str, type: str) -> None:
    source = project.sources.get(name) or project.datasources.get(name)
    if source is not None and source.type is not None and source.type != type:
        raise output.Failure(
            f"`{sources.relative(project, path)}` is there already and has the type `{source.type}`",
            f"`gsws plugin add {type} --name NAME` makes a source of another name",
        )


def _edited(project: Project, path: Path, name: str) -> bool:
    """Whether the file is anything but what `add` writes, on whatever port."""
    source = project.sources.get(name) or project.datasources.get(name)
    if source is None or source.type is None or source.type not in registry or registry[source.type].error is not None:
        return True
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return True
    expected = sources.plan(project, registry[source.type], name).text
    return _plain(text) != _plain(expected)


def _plain(text: str) -> str:
    return re.sub(r"(?m)^port:[ \t]*\d+", "port:", re.sub(r"(?m)^# yaml-language-server:.*\n", "", text))


def show_all(*, as_json: bool) -> int:
    """List the installed plugins, and which sources of this project use them."""
    used = _used()
    found = [registry[type] for type in registry]
    if as_json:
        return output.result_json({"plugins": [_facts(plugin, used) for plugin in found]})
    rows = [
        (
            plugin.type,
            plugin.source_type or "-",
            plugin.origin,
            ", ".join(used.get(plugin.type, ())) or "-",
            "ok" if plugin.error is None else plugin.error,
        )
        for plugin in found
    ]
    output.table(("PLUGIN", "MAKES", "FROM", "USED BY", "STATE"), rows)
    return output.GOOD


def show(type: str, *, as_json: bool) -> int:
    """
    Show one plugin and the keys of its YAML.

    Raises:
        Failure: If it is not installed (exit 1).
    """
    type = checked_type(type)
    if type not in registry:
        raise output.Failure(
            f"the plugin `{type}` is not installed",
            did_you_mean(type, registry) or f"`gsws plugin add {type}` installs it",
        )
    plugin = registry[type]
    used = _used()
    contract = plugin.plugin
    if as_json:
        return output.result_json(
            {
                **_facts(plugin, used),
                "default_config": dict(contract.default_config) if contract is not None else None,
                "config_schema": dict(contract.config_schema) if contract is not None else None,
            }
        )
    lines = [
        ("type", plugin.type),
        ("makes", plugin.source_type or "-"),
        ("from", plugin.origin),
        ("used by", ", ".join(used.get(type, ())) or "-"),
    ]
    if plugin.requires_gsws:
        lines.append(("needs gsws", plugin.requires_gsws))
    if plugin.error:
        lines.append(("error", plugin.error))
    output.result(output.columns([(label, output.plain(text)) for label, text in lines]))
    if contract is not None:
        output.result("")
        output.table(("KEY", "DEFAULT", "WHAT IT IS"), _keys(contract.config_schema, contract.default_config))
    return output.GOOD


def _used() -> dict[str, list[str]]:
    """Names of this project's sources by type; empty outside a project."""
    root = find_root(Path.cwd())
    if root is None:
        return {}
    # Without plugin facts on purpose: listing must work whatever state the plugins are in.
    project = load_project(root, plugins={})
    used: dict[str, list[str]] = {}
    every: list[SourceSpec | DatasourceSpec] = [*project.sources.values(), *project.datasources.values()]
    for source in every:
        if source.type is not None:
            used.setdefault(source.type, []).append(source.name)
    return used


def _facts(plugin: InstalledPlugin, used: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "type": plugin.type,
        "source_type": plugin.source_type,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "built_in": plugin.built_in,
        "requires_gsws": plugin.requires_gsws,
        "used_by": used.get(plugin.type, []),
        "error": plugin.error,
    }


def _keys(schema: Any, defaults: Any) -> list[tuple[str, str, str]]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return []
    rows: list[tuple[str, str, str]] = []
    for key, about in properties.items():
        if key != "type":
            default = defaults.get(key)
            facts = about if isinstance(about, dict) else {}
            rows.append((str(key), _short(default), str(facts.get("description", ""))))
    return rows


def _short(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(str(key) for key in value)
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
