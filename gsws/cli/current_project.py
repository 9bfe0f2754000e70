"""The project that a command is about: the one in the working directory, or above it."""

from __future__ import annotations

import re
from collections.abc import Set
from pathlib import Path

from gsws.cli import output
from gsws.diagnostics import Severity
from gsws.plugins.registry import facts
from gsws.project import Project, find_root, foreign_root, load_project, projects_below

__all__ = ["check_environment", "check_files", "current_root", "load_current", "no_project"]


def check_environment(name: str) -> None:
    """
    Refuse what cannot be part of ``config/<name>.yaml``.

    Raises:
        Failure: Exit 2.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise output.misuse(
            f"`{name}` is no environment; expected letters, digits, `-` and `_`", "for example `--env production`"
        )


def current_root() -> Path:
    """
    The root of the project at or above the working directory.

    Raises:
        Failure: If there is none (exit 1).
    """
    try:
        root = find_root(Path.cwd())
    except FileNotFoundError:
        raise output.Failure("the working directory does not exist any more") from None
    if root is None:
        raise output.Failure(*no_project(Path.cwd(), "no gsws project here or above"))
    return root


def no_project(start: Path, message: str) -> tuple[str, str]:
    """
    What is said, and what is to be done, where there is no project.

    Args:
        start: Where somebody stands.
        message: What is said if there is no more to it.
    """
    foreign = foreign_root(start)
    if foreign is not None:
        return (
            f"the project in `{foreign}` belongs to another user and is not loaded",
            f"go there if you trust it, or set `GSWS_SAFE_DIRECTORY={foreign}`",
        )
    below = projects_below(start)
    if below:
        shown = [path.relative_to(start).as_posix() for path in below]
        listed = ", ".join(f"`{one}`" for one in shown)
        return (
            message,
            f"there {'is a project' if len(shown) == 1 else 'are projects'} in {listed}: go there first; "
            "`gsws init .` makes one here",
        )
    return message, "`gsws init .` makes one"


def load_current(env: str = "development") -> Project:
    """
    Load the project of the working directory, with the installed plugins; errors are in its findings.

    Raises:
        Failure: If there is no project (exit 1), or ``env`` is no name (exit 2).
    """
    check_environment(env)
    return load_project(current_root(), env=env, plugins=facts())


def check_files(project: Project, paths: Set[str]) -> None:
    """
    Make sure that files of a project have no errors.

    Raises:
        Failure: With the first one that there is.
    """
    for finding in project.findings:
        if finding.severity is Severity.ERROR and finding.span is not None and finding.span.path in paths:
            raise output.Failure(f"`{finding.span.path}`: {finding.message}", "`gsws validate` shows more")
