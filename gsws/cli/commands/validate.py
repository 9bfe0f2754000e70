"""`gsws validate [PATHS]`: check a project, print what is wrong with it, and repair what can be repaired."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Final

from gsws.cli import output
from gsws.cli.current_project import check_environment, no_project
from gsws.cli.selection import Choice, read_level, read_prefixes
from gsws.cli.suggest import did_you_mean
from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.grouping import grouped
from gsws.diagnostics.render.concise import render_concise
from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.json import render_json
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, find_root, load_project
from gsws.project.files.codecs import disk_cache

__all__ = ["FORMATS", "Options", "print_findings", "run", "summary"]

FORMATS: Final = ("full", "concise", "json", "github", "sarif")
_FOR_PROGRAMS: Final = ("json", "sarif")


@dataclass(frozen=True, slots=True)
class Options:
    """
    What the command line says.

    Attributes:
        format: One of `FORMATS`; None is full on a terminal, github in GitHub Actions, else concise.
        env: Which environment's config is read.
        select: Codes or their beginnings, separated by commas; empty for all.
        ignore: The same, left out.
        fail_level: ``error``, ``warning`` or ``info``.
        fix: Carry out the repairs of findings.
        diff: Show the repairs as a patch instead.
        watch: Again after every change.
        cache: Use and write ``.gsws/cache/``.
    """

    format: str | None = None
    env: str = "development"
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    fail_level: str = "error"
    fix: bool = False
    diff: bool = False
    watch: bool = False
    cache: bool = True


def run(paths: Sequence[Path], options: Options) -> int:
    """
    Print the findings to stdout and a summary to stderr.

    Args:
        paths: Show only findings of these files and folders, which must be in one project.
        options: The rest.

    Returns:
        0 if no finding shown is as bad as the level that fails, else 1.

    Raises:
        Failure: Exit 2 for an option or a path that does not fit.
    """
    format = _format(options)
    check_environment(options.env)
    choice = Choice(
        read_prefixes("--select", options.select),
        read_prefixes("--ignore", options.ignore),
        read_level(options.fail_level),
    )
    root = _root(paths)
    if root is None:
        # Whatever was selected: there is nothing else to be said.
        return _report((_no_project(_start(paths)),), None, format, choice)
    choice = replace(choice, paths=tuple(path.resolve() for path in paths))
    act = _action(root, format, options, choice)
    if not options.watch:
        return act()
    from gsws.cli.watching import watch_project

    def again() -> None:
        if output.is_terminal():
            sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")
        try:
            act()
        except output.Failure as failure:  # a file that cannot be written now may be writable after the next change
            output.show_failure(failure.message, failure.help)

    return watch_project(root, again)


def print_findings(
    findings: Sequence[Finding], project: Project | None, format: str, *, ok: bool | None = None
) -> None:
    """
    Write the findings to stdout in one of `FORMATS`.

    Args:
        ok: What ``json`` says of the whole; whether there is no error when None.
    """
    findings = findings if project is None else project.mask.findings(findings)
    if format == "json":
        files, events = (project.files, len(project.events)) if project is not None else (0, 0)
        text = render_json(findings, files=files, events=events, ok=ok)
    elif format == "sarif":
        from gsws.diagnostics.render.sarif import render_sarif

        base, prefix = _repository(project)
        text = render_sarif(findings, prefix=prefix, base=base.as_uri())
    elif not findings:
        return
    elif format == "github":
        from gsws.diagnostics.render.github import render_github

        text = render_github(findings, prefix=_repository(project)[1])
    elif format == "concise":
        text = render_concise(findings, prefix=_from_here(project))
    else:
        text = render_full(findings, project.text_of if project is not None else lambda _: None, colour=output.colour())
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def summary(findings: Sequence[Finding], project: Project | None) -> str:
    """``2 errors, 1 warning in 7 files, 3 events``."""
    counts = [
        _count(sum(1 for finding in findings if finding.severity is severity), word)
        for severity, word in ((Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note"))
        if any(finding.severity is severity for finding in findings)
    ]
    what = ", ".join(counts) if counts else "no findings"
    return (
        what
        if project is None
        else f"{what} in {_count(project.files, 'file')}, {_count(len(project.events), 'event')}"
    )


def _format(options: Options) -> str:
    format = options.format
    if format is None:
        if output.is_terminal():
            return "full"
        return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "concise"
    if format not in FORMATS:
        raise output.misuse(f"no format `{format}`", did_you_mean(format, FORMATS) or f"there are {', '.join(FORMATS)}")
    if options.diff and format in _FOR_PROGRAMS:
        raise output.misuse(f"`--diff` prints a patch, not {format}", "leave one of the two out")
    return format


def _action(root: Path, format: str, options: Options, choice: Choice) -> Callable[[], int]:
    """One look at the project, with its repairs if they are wanted."""
    cache = disk_cache(root) if options.cache else ProjectCache()

    def choose(project: Project) -> tuple[Finding, ...]:
        return choice.of(project.findings, project.root)

    def look() -> int:
        project = load_project(root, env=options.env, plugins=facts(), cache=cache, notes=choice.notes)
        return _report(choose(project), project, format, choice)

    def repair() -> int:
        from gsws.cli.repair import diff, repair_project, write_changes

        repaired = repair_project(root, env=options.env, choose=choose)
        if options.diff:
            sys.stdout.write(_no_commands(diff(repaired.changes)))
            return _conclude(choose(repaired.before), repaired.before, choice)
        write_changes(repaired.before.root, repaired.changes)
        for finding in repaired.done:
            place = f"{finding.span.path}:{finding.span.line}:{finding.span.column}: " if finding.span else ""
            what = finding.fix.title if finding.fix else ""
            word = output.paint("fixed", "green", stream=sys.stderr)
            output.note(f"{word} {output.plain(place)}{finding.code} {output.plain(what)}")
        return look()

    return repair if options.fix or options.diff else look


def _no_commands(patch: str) -> str:
    """A patch for who reads it: a person at a terminal, or a log in which GitHub looks for commands."""
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
    if not patch or not (in_actions or output.is_terminal()):
        return patch
    patch = output.plain(patch, keep="\t\n")
    word = token_hex(16)
    return f"::stop-commands::{word}\n{patch}::{word}::\n" if in_actions else patch


def _report(findings: Sequence[Finding], project: Project | None, format: str, choice: Choice) -> int:
    findings = grouped(findings)
    print_findings(findings, project, format, ok=not choice.fails(findings))
    sys.stdout.flush()
    if format in _FOR_PROGRAMS:
        return output.FAILED if choice.fails(findings) else output.GOOD
    if format == "full" and findings:
        output.note()
    return _conclude(findings, project, choice)


def _conclude(findings: Sequence[Finding], project: Project | None, choice: Choice) -> int:
    """The summary on stderr, and the exit code."""
    failed = choice.fails(findings)
    word, style = ("failed", "red") if failed else ("ok", "green")
    output.note(f"{output.paint(word, style, 'bold', stream=sys.stderr)}: {summary(findings, project)}")
    return output.FAILED if failed else output.GOOD


def _from_here(project: Project | None) -> str:
    """What leads from the working directory to the project: editors and `grep` count paths from there."""
    if project is None:
        return ""
    way = Path(os.path.relpath(project.root, Path.cwd().resolve())).as_posix()
    return "" if way == "." else f"{way}/"


def _repository(project: Project | None) -> tuple[Path, str]:
    """The folder that a CI service counts paths from, and what leads from there to the project."""
    here = Path.cwd().resolve()
    root = here if project is None else project.root
    workspace = os.environ.get("GITHUB_WORKSPACE")
    for folder in (Path(workspace).resolve() if workspace else None, here):
        if folder is not None and root != folder and root.is_relative_to(folder):
            return folder, f"{root.relative_to(folder).as_posix()}/"
    return root, ""


def _root(paths: Sequence[Path]) -> Path | None:
    try:
        if not paths:
            return find_root(Path.cwd())
    except FileNotFoundError:
        raise output.Failure("the working directory does not exist any more") from None
    roots: list[Path | None] = []
    for path in paths:
        if not path.exists():
            raise output.misuse(f"no file or folder `{path}`")
        real = path.resolve()
        roots.append(find_root(real if real.is_dir() else real.parent))
    if None in roots:
        return None
    if len(set(roots)) > 1:
        raise output.misuse("these paths belong to different projects", "check one project at a time")
    return roots[0]


def _start(paths: Sequence[Path]) -> Path:
    """The first place without a project."""
    places = [path.resolve() if path.is_dir() else path.resolve().parent for path in paths] or [Path.cwd()]
    return next((place for place in places if find_root(place) is None), places[0])


def _no_project(start: Path) -> Finding:
    message, help = no_project(start, "not a gsws project here or above")
    return Finding(code="GS001", severity=Severity.ERROR, message=message, help=help)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
