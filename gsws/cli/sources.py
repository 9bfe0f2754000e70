"""Files that commands write into a project: its sources, on free ports, and the schemas that editors read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsws.cli import output
from gsws.codegen.editor import schema_files
from gsws.plugins.registry import InstalledPlugin, facts
from gsws.project import Project
from gsws.scaffold.elements import source_text
from gsws.scaffold.files import Conflict, write_files
from gsws.text.replacing import replace_file
from gsws.yaml.modeline import SCHEMA_FOLDER, with_modeline

__all__ = ["Planned", "find", "named", "plan", "put", "refresh", "relative", "state", "write", "write_schemas"]


def named(root: Path, path: str, text: str) -> str:
    """The text of a new file, with the line that names its schema if the project keeps schemas."""
    return with_modeline(path, text) if (root / SCHEMA_FOLDER).is_dir() else text


def refresh(root: Path) -> None:
    """
    Bring the schemas up to date if the project keeps them, as after a plugin came.

    Raises:
        Failure: If a file cannot be written.
    """
    if (root / SCHEMA_FOLDER).is_dir():
        write_schemas(root)


def write_schemas(root: Path) -> None:
    """
    Write the schemas as far as they are missing or differ.

    Raises:
        Failure: If a file cannot be written.
    """
    for name, content in schema_files(facts()).items():
        if state(root / name, content) != "up to date":
            put(root, name, content)


def state(path: Path, content: bytes) -> str:
    """Whether a file is ``up to date``, ``missing``, or ``differs`` from what it should be."""
    try:
        return "up to date" if path.read_bytes() == content else "differs"
    except OSError:
        return "missing" if not path.exists() else "differs"


def put(root: Path, name: str, content: bytes) -> None:
    """
    Write one file of a project, whole; its folder is made.

    Raises:
        Failure: If the file system refuses, or a link leads out of the project.
    """
    path = root / name
    with output.refusing(f"cannot write `{name}`"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.resolve().is_relative_to(root.resolve()):
            raise output.Failure(f"`{name}` is behind a link that leaves the project", "nothing was written there")
        replace_file(path, content)


@dataclass(frozen=True, slots=True)
class Planned:
    """A source file to be: where, relative to the root, and its text; ``port`` if it is not the default one."""

    path: str
    text: str
    port: int | None


def find(project: Project, name: str, folders: tuple[str, ...] = ("eventsources", "datasources")) -> Path | None:
    """The file of the source ``name``, if there is one."""
    for folder in folders:
        for suffix in (".yaml", ".yml"):
            path = project.base / folder / f"{name}{suffix}"
            if path.is_symlink() or path.exists():
                return path
    return None


def folder_of(plugin: InstalledPlugin) -> str:
    """Which folder the plugin's files go into."""
    return "datasources" if plugin.source_type == "datasource" else "eventsources"


def plan(project: Project, plugin: InstalledPlugin, name: str) -> Planned:
    """The file for a source of that plugin, on a port that no other source of the project has."""
    contract = plugin.plugin
    if contract is None:
        raise ValueError("the plugin cannot be used")
    defaults = contract.default_config
    port = _free_port(project, name, defaults.get("port"))
    text = source_text(
        plugin.type, defaults=defaults, schema=contract.config_schema, text=plugin.config_text, port=port
    )
    path = (project.base / folder_of(plugin) / f"{name}.yaml").relative_to(project.root).as_posix()
    return Planned(path, named(project.root, path, text), port)


def write(project: Project, planned: Planned) -> None:
    """
    Write the file.

    Raises:
        Failure: If something is in the way or the file system refuses; nothing is written then.
    """
    try:
        with output.refusing(f"cannot write `{planned.path}`"):
            write_files(project.root, {planned.path: planned.text.encode("utf-8")})
    except Conflict as conflict:
        raise output.Failure(f"not overwriting `{conflict.paths[0]}`", "move it away first") from None


def relative(project: Project, path: Path) -> str:
    """``path`` as people read it: from the root, with slashes."""
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else str(path)


def _free_port(project: Project, name: str, default: Any) -> int | None:
    """The next port if another source has the default one; None if the default is free or there is none."""
    if not isinstance(default, int) or isinstance(default, bool) or default == 0:
        return None
    taken = {source.config.get("port") for source in project.sources.values() if source.name != name}
    port = default
    while port in taken:
        port += 1
    return None if port == default or port > 65535 else port
