"""
Settings of editors that do not read the comment in the files, or are to know the schemas without it.

Pure functions from the present settings to the new ones; other people's settings in the same file stay.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any, Final

from gsws.yaml.modeline import SCHEMA_FOLDER

__all__ = ["SettingsRefused", "jetbrains_mapping", "vscode_settings"]

_FOLDERS: Final[Mapping[str, str]] = {
    "event": "events",
    "eventsource": "eventsources",
    "definitions": "definitions",
    "datasource": "datasources",
}
_COMPONENT: Final = "JsonSchemaMappingsProjectConfiguration"


class SettingsRefused(Exception):
    """The present settings cannot be read, so that they cannot be kept."""


def vscode_settings(present: str | None, base: str) -> str:
    """
    The text of ``.vscode/settings.json`` with the schemas under ``yaml.schemas``.

    Args:
        present: The file's text, None if it is not there.
        base: What leads from the root to the folders: empty, or ``src/``.

    Raises:
        SettingsRefused: If the text is no plain JSON object, as one with comments is not.
    """
    try:
        settings: Any = json.loads(present) if present and present.strip() else {}
    except (ValueError, RecursionError):
        raise SettingsRefused("it is no plain JSON") from None
    known = settings.get("yaml.schemas", {}) if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(known, dict):
        raise SettingsRefused("it is not an object, or its `yaml.schemas` is not")
    ours = {f"./{SCHEMA_FOLDER}/{name}.schema.json": _globs(base + folder) for name, folder in _FOLDERS.items()}
    settings["yaml.schemas"] = {**known, **ours, f"./{SCHEMA_FOLDER}/gsws.schema.json": ["gsws.yaml"]}
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def jetbrains_mapping(present: str | None, base: str) -> str:
    """
    The text of ``.idea/jsonSchemas.xml`` with the schemas.

    Raises:
        SettingsRefused: If the text is not what such a file holds.
    """
    try:
        project = ET.fromstring(present) if present and present.strip() else ET.Element("project", version="4")  # noqa: S314  # the user's own file
    except ET.ParseError:
        raise SettingsRefused("it is no XML") from None
    if project.tag != "project":
        raise SettingsRefused("it is not the file of a project")
    mapping = _child(_child(_child(project, "component", name=_COMPONENT), "state"), "map")
    for entry in [one for one in mapping.findall("entry") if one.get("key", "").startswith("gsws ")]:
        mapping.remove(entry)
    for name, folder in {**_FOLDERS, "gsws": "gsws.yaml"}.items():
        mapping.append(_entry(name, folder if name == "gsws" else base + folder))
    ET.indent(project)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(project, encoding="unicode") + "\n"


def _globs(folder: str) -> list[str]:
    return [f"{folder}/**/*.yaml", f"{folder}/**/*.yml"]


def _child(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    for child in parent.findall(tag):
        if all(child.get(key) == value for key, value in attributes.items()):
            return child
    return ET.SubElement(parent, tag, attributes)


def _entry(name: str, path: str) -> ET.Element:
    entry = ET.Element("entry", key=f"gsws {name}")
    info = ET.SubElement(ET.SubElement(entry, "value"), "SchemaInfo")
    for key, value in (
        ("name", f"gsws {name}"),
        ("relativePathToSchema", f"{SCHEMA_FOLDER}/{name}.schema.json"),
        ("schemaVersion", "JSON Schema version 7"),
    ):
        ET.SubElement(info, "option", name=key, value=value)
    item = ET.SubElement(ET.SubElement(ET.SubElement(info, "option", name="patterns"), "list"), "Item")
    if name != "gsws":
        ET.SubElement(item, "option", name="directory", value="true")
        ET.SubElement(item, "option", name="mappingKind", value="Directory")
    ET.SubElement(item, "option", name="path", value=path)
    return entry
