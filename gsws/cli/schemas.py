"""The editor schemas of a project on the disk: whether they are there, written, and named in new files."""

from __future__ import annotations

from pathlib import Path

from gsws.cli import output
from gsws.codegen.editor import schema_files
from gsws.plugins.registry import facts
from gsws.text.replacing import replace_file
from gsws.yaml.modeline import SCHEMA_FOLDER, with_modeline

__all__ = ["named", "put", "refresh", "state", "write_schemas"]


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
