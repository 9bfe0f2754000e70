"""`gsws plugin list | info`: what is installed, and who uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gsws.cli import output
from gsws.cli.plugins import checked_type
from gsws.cli.suggest import did_you_mean
from gsws.plugins.registry import InstalledPlugin, registry
from gsws.project import DatasourceSpec, SourceSpec, find_root, load_project

__all__ = ["show", "show_all"]


def show_all(*, as_json: bool) -> int:
    """List the installed plugins, and which sources of this project use them."""
    used = _used()
    found = [registry[type] for type in registry]
    if as_json:
        output.result_json({"plugins": [_facts(plugin, used) for plugin in found]})
        return output.GOOD
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
        output.result_json(
            {
                **_facts(plugin, used),
                "default_config": dict(contract.default_config) if contract is not None else None,
                "config_schema": dict(contract.config_schema) if contract is not None else None,
            }
        )
        return output.GOOD
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
