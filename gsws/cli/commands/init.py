"""`gsws init [DIR]`: a new project from a template."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

from gsws.__about__ import __version__
from gsws.cli import output
from gsws.cli.suggest import did_you_mean
from gsws.codegen.editor import schema_files
from gsws.plugins.registry import facts
from gsws.scaffold.files import Conflict, write_files
from gsws.scaffold.names import NameRefused, check_directory_name, project_name
from gsws.scaffold.templates import Template, find_template, template_names

__all__ = ["run", "tree"]


_OWN: Final = ("README.md", ".gitignore")
"""What a repository has from its first day; it is kept as it is."""

_WORKFLOW: Final = ".github/workflows/gsws.yaml"


def run(directory: str, *, template: str, as_json: bool) -> int:
    """
    Write the template's files under ``directory``; all of them or nothing.

    Raises:
        Failure: For an unknown template or a bad name (exit 2), files in the way or a file system
            that refuses (exit 1).
    """
    found = find_template(template)
    if found is None:
        known = template_names()
        raise output.misuse(
            f"no template `{template}`",
            did_you_mean(template, known) or f"there are {', '.join(f'`{name}`' for name in known)}",
        )
    target = _target(directory)
    name = project_name(target.name)
    files = dict(sorted({**found.files({"name": name, "version": __version__}), **schema_files(facts())}.items()))
    kept = [path for path in _OWN if (target / path).is_file() and files.pop(path, None) is not None]
    top, placed = _placed(target, name, files)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with output.refusing(f"cannot write to `{directory}`"):
            write_files(top, placed)
    except Conflict as conflict:
        raise _in_the_way(top, conflict) from None

    steps = _next_steps(target, found)
    if as_json:
        return output.result_json(
            {
                "ok": True,
                "directory": str(target),
                "name": name,
                "template": found.name,
                "files": list(files),
                "kept": kept,
                "next": steps,
            }
        )
    output.note(
        f"{output.paint('made', 'green', stream=sys.stderr)} {output.plain(name)} from the template {found.name}"
    )
    output.note()
    output.result(output.plain(tree(target.name or str(target), files), keep="\n\t"))
    sys.stdout.flush()
    output.note()
    for path in kept:
        output.note(f"kept {path}, which was there")
    if ".gitignore" in kept:
        output.note("  see to it that it names `.env` and `.gsws/`")
    if top != target:
        workflow = next(path for path in placed if path.startswith(".github/"))
        output.note(f"the workflow is in {output.plain(str(top / workflow))}, where GitHub looks for it")
    output.note("next:")
    if (found_at := _off_path()) is not None:
        output.note(f"  {output.paint(output.plain(found_at), 'bold', stream=sys.stderr)}   # puts `gsws` on the PATH")
    for step in steps:
        output.note(f"  {output.paint(output.plain(step), 'bold', stream=sys.stderr)}")
    output.note(f"  {output.paint(found.trial, 'bold', stream=sys.stderr)}   # in another terminal")
    return output.GOOD


def _placed(target: Path, name: str, files: dict[str, bytes]) -> tuple[Path, dict[str, bytes]]:
    """
    Where the files are written from, and under which names.

    GitHub reads workflows at the top of a repository only: for a project in a folder of one, the workflow goes there.
    """
    top = _repository_of(target)
    if top is None or _WORKFLOW not in files:
        return target, files
    inner = target.relative_to(top).as_posix()
    step = f"    runs-on: ubuntu-latest\n    defaults:\n      run:\n        working-directory: {json.dumps(inner)}\n"
    workflow = files.pop(_WORKFLOW).replace(b"    runs-on: ubuntu-latest\n", step.encode())
    goal = _WORKFLOW if not os.path.lexists(top / _WORKFLOW) else f".github/workflows/gsws-{name}.yaml"
    return top, {**{f"{inner}/{path}": content for path, content in files.items()}, goal: workflow}


def _repository_of(target: Path) -> Path | None:
    """The top of the git repository that holds a folder; None if it is the folder, somebody else's, or a home."""
    if os.path.lexists(target / ".git"):
        return None
    for folder in target.parents:
        if os.path.lexists(folder / ".git"):
            owner = getattr(os, "geteuid", None)
            mine = owner is None or folder.stat().st_uid == owner()
            return folder if mine and folder != Path.home() else None
    return None


def tree(top: str, files: Iterable[str]) -> str:
    """Paths as an indented tree; folders end in a slash."""
    lines = [f"{top}/"]
    shown: set[tuple[str, ...]] = set()
    for name in sorted(files, key=lambda name: ("/" not in name, name)):
        *folders, leaf = name.split("/")
        for depth in range(len(folders)):
            folder = tuple(folders[: depth + 1])
            if folder not in shown:
                shown.add(folder)
                lines.append(f"{'  ' * (depth + 1)}{folder[-1]}/")
        lines.append(f"{'  ' * (len(folders) + 1)}{leaf}")
    return "\n".join(lines)


def _target(directory: str) -> Path:
    """Where to write, absolute; refuses names before anything is made."""
    _check_target(directory)
    with output.refusing(f"cannot use `{directory}`"):
        # Not `resolve`: a symlink must be seen as one.
        target = Path(os.path.abspath(directory))  # noqa: PTH100
        linked = target.is_symlink()
    if linked:
        raise output.Failure(f"`{directory}` is a symlink", "give the directory it points to")
    return target


def _check_target(directory: str) -> None:
    if not directory or "\0" in directory:
        raise NameRefused("the name holds a NUL character" if directory else "the directory has no name")
    given = Path(directory)
    if ".." in given.parts:
        raise NameRefused(
            f"`{directory}` leads upwards with `..`", "go there first, or give the directory's whole path"
        )
    if given.name:  # `.` and `/` have none
        check_directory_name(given.name)
    if directory.startswith("-"):
        raise NameRefused(f"the name `{directory}` would be read as an option", f"try `./{directory}`")


def _in_the_way(target: Path, conflict: Conflict) -> output.Failure:
    paths = [str(path) for path in conflict.paths]
    if paths == [str(target)]:
        return output.Failure(
            f"`{target}` is there already and is no directory", "choose another name", facts={"in_the_way": paths}
        )
    listed = ", ".join(f"`{path}`" for path in paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
    return output.Failure(
        f"not overwriting what is there: {listed}",
        "nothing was written; move it away, or choose another directory",
        facts={"in_the_way": paths},
    )


def _next_steps(target: Path, template: Template) -> list[str]:
    steps = [] if template.is_installed else [f'pip install "gsws[{template.extra}]"']
    here = Path.cwd()
    if target != here:
        shown = target.relative_to(here) if target.is_relative_to(here) else target
        steps.append(f"cd {shlex.quote(str(shown))}")
    return [*steps, "gsws serve"]


def _off_path() -> str | None:
    """The line for a shell that makes ``gsws`` a word that it knows, if it is none yet."""
    if shutil.which("gsws") is not None:
        return None
    folder = Path(sys.executable).parent
    if (folder / "activate").is_file():
        return f"source {shlex.quote(str(folder / 'activate'))}"
    return f"export PATH={shlex.quote(str(folder))}:$PATH" if (folder / "gsws").is_file() else None


def _terminated(*_: object) -> NoReturn:
    """Leave by an exception, so that half-made files are taken away."""
    raise SystemExit(128 + signal.SIGTERM)
