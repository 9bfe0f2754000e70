"""`gsws init [DIR]`: a new project from a template."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from gsws.__about__ import __version__
from gsws.cli import output
from gsws.cli.suggest import did_you_mean
from gsws.codegen.editor import schema_files
from gsws.plugins.registry import facts
from gsws.scaffold.files import Conflict, write_files
from gsws.scaffold.names import NameRefused, check_directory_name, project_name
from gsws.scaffold.templates import Template, find_template, template_names

__all__ = ["run", "tree"]


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
        raise output.Failure(
            f"no template `{template}`",
            did_you_mean(template, known) or f"there are {', '.join(f'`{name}`' for name in known)}",
            exit_code=output.USAGE,
        )
    target = _target(directory)
    name = project_name(target.name)
    files = dict(sorted({**found.files({"name": name, "version": __version__}), **schema_files(facts())}.items()))
    signal.signal(signal.SIGTERM, _terminated)
    try:
        write_files(target, files)
    except Conflict as conflict:
        raise _in_the_way(target, conflict) from None
    except OSError as error:
        raise output.Failure(f"cannot write to `{directory}`: {error.strerror or error}") from None

    steps = _next_steps(target, found)
    if as_json:
        output.result_json(
            {
                "ok": True,
                "directory": str(target),
                "name": name,
                "template": found.name,
                "files": list(files),
                "next": steps,
            }
        )
        return output.GOOD
    output.note(
        f"{output.paint('made', 'green', stream=sys.stderr)} {output.plain(name)} from the template {found.name}"
    )
    output.note()
    output.result(output.plain(tree(target.name or str(target), files), keep="\n\t"))
    sys.stdout.flush()
    output.note()
    output.note("next:")
    if (found_at := _off_path()) is not None:
        output.note(f"  {output.paint(output.plain(found_at), 'bold', stream=sys.stderr)}   # puts `gsws` on the PATH")
    for step in steps:
        output.note(f"  {output.paint(output.plain(step), 'bold', stream=sys.stderr)}")
    output.note(f"  {output.paint(found.trial, 'bold', stream=sys.stderr)}   # in another terminal")
    return output.GOOD


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
    try:
        _check_target(directory)
    except NameRefused as refused:
        raise output.Failure(refused.message, refused.help, exit_code=output.USAGE) from None
    try:
        # Not `resolve`: a symlink must be seen as one.
        target = Path(os.path.abspath(directory))  # noqa: PTH100
        linked = target.is_symlink()
    except OSError as error:
        raise output.Failure(f"cannot use `{directory}`: {error.strerror or error}") from None
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
