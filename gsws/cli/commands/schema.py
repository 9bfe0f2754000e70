"""`gsws schema`: the schemas that editors complete and check a project's YAML with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gsws.cli import output
from gsws.cli.current_project import current_root
from gsws.cli.sources import put, state
from gsws.codegen.editor import schema_files
from gsws.codegen.editors import SettingsRefused, jetbrains_mapping, vscode_settings
from gsws.plugins.registry import facts
from gsws.project.files.discovery import SETTINGS, base_of, list_files
from gsws.yaml.modeline import with_modeline

__all__ = ["run"]

_FOLDERS = ("events", "eventsources", "definitions", "datasources")


def run(*, write: bool, vscode: bool, jetbrains: bool, as_json: bool) -> int:
    """
    Show, or write, the schemas and what makes editors find them.

    Args:
        write: Write what is missing or differs; else only show it.
        vscode: Also ``.vscode/settings.json``.
        jetbrains: Also ``.idea/jsonSchemas.xml``.

    Raises:
        Failure: If there is no project, or a file refuses (exit 1).
    """
    root = current_root()
    wanted = {**schema_files(facts()), **_modelines(root)}
    if vscode:
        wanted |= _settings(root, ".vscode/settings.json", vscode_settings)
    if jetbrains:
        wanted |= _settings(root, ".idea/jsonSchemas.xml", jetbrains_mapping)
    states = {name: state(root / name, content) for name, content in wanted.items()}
    if write:
        for name, content in wanted.items():
            if states[name] != "up to date":
                put(root, name, content)
                states[name] = "written"
    if as_json:
        output.result_json({"ok": True, "files": [{"path": name, "state": found} for name, found in states.items()]})
    else:
        output.table(("FILE", "STATE"), list(states.items()))
        if not write and any(found != "up to date" for found in states.values()):
            output.note("`gsws schema --write` writes them")
    return output.GOOD


def _modelines(root: Path) -> dict[str, bytes]:
    """The YAML files of the project that get a line, with it; a file that is not UTF-8 is left alone."""
    base = base_of(root)[0]
    found = [list_files(root, base / folder, (".yaml", ".yml")) for folder in _FOLDERS]
    files = {entry.shown: Path(entry.path) for listing in found for entry in listing.files}
    if (root / SETTINGS).is_file():
        files[SETTINGS] = root / SETTINGS
    wanted = {}
    for shown, path in sorted(files.items()):
        try:
            raw = path.read_bytes()
            content = with_modeline(shown, raw.decode("utf-8")).encode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if content != raw:
            wanted[shown] = content
    return wanted


def _settings(root: Path, name: str, make: Callable[[str | None, str], str]) -> dict[str, bytes]:
    path = root / name
    base = base_of(root)[0]
    try:
        present = path.read_text("utf-8") if path.exists() else None
        text = make(present, "" if base == root else f"{base.relative_to(root).as_posix()}/")
    except (SettingsRefused, UnicodeDecodeError) as refused:
        reason = "it is not UTF-8" if isinstance(refused, UnicodeDecodeError) else str(refused)
        raise output.Failure(
            f"cannot change `{name}`: {reason}",
            "add the schemas of `.gsws/schemas/` to it by hand; nothing was written",
        ) from None
    return {name: text.encode()}
