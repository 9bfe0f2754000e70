"""`gsws validate [PATHS]`: check a project and print what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gsws.cli import output
from gsws.cli.here import check_environment
from gsws.cli.suggest import did_you_mean
from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.render.concise import render_concise
from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.json import render_json
from gsws.plugins.registry import facts
from gsws.project import Project, find_root, load_project

__all__ = ["FORMATS", "print_findings", "run", "summary"]

FORMATS = ("full", "concise", "json")


def run(paths: Sequence[Path], *, format: str | None, env: str) -> int:
    """
    Print the findings to stdout and a summary to stderr.

    Args:
        paths: Show only findings of these files and folders, which must be in one project.
        format: One of `FORMATS`; None is full on a terminal and concise on a pipe.
        env: Which environment's config is read.

    Returns:
        0 if no finding shown is an error, else 1.

    Raises:
        Failure: Exit 2 for a format or path that does not exist.
    """
    if format is None:
        format = "full" if output.is_terminal() else "concise"
    if format not in FORMATS:
        raise output.Failure(
            f"no format `{format}`", did_you_mean(format, FORMATS) or f"there are {', '.join(FORMATS)}", exit_code=2
        )
    check_environment(env)
    root = _root(paths)
    if root is None:
        return _report((_no_project(),), None, format)
    project = load_project(root, env=env, plugins=facts())
    return _report(_chosen(project, paths), project, format)


def print_findings(findings: Sequence[Finding], project: Project | None, format: str) -> None:
    """Write the findings to stdout in one of `FORMATS`."""
    if format == "json":
        files, events = (project.files, len(project.events)) if project is not None else (0, 0)
        text = render_json(findings, files=files, events=events)
    elif not findings:
        return
    elif format == "concise":
        text = render_concise(findings)
    else:
        text = render_full(findings, project.text_of if project is not None else _no_text, colour=output.colour())
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


def _report(findings: Sequence[Finding], project: Project | None, format: str) -> int:
    print_findings(findings, project, format)
    sys.stdout.flush()
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    if format != "json":
        if format == "full" and findings:
            output.note()
        word, style = ("failed", "red") if failed else ("ok", "green")
        output.note(f"{output.paint(word, style, 'bold', stream=sys.stderr)}: {summary(findings, project)}")
    return output.FAILED if failed else output.GOOD


def _root(paths: Sequence[Path]) -> Path | None:
    if not paths:
        return find_root(Path.cwd())
    roots: list[Path | None] = []
    for path in paths:
        if not path.exists():
            raise output.Failure(f"no file or folder `{path}`", exit_code=output.USAGE)
        real = path.resolve()
        roots.append(find_root(real if real.is_dir() else real.parent))
    if None in roots:
        return None
    if len(set(roots)) > 1:
        raise output.Failure(
            "these paths belong to different projects", "check one project at a time", exit_code=output.USAGE
        )
    return roots[0]


def _chosen(project: Project, paths: Sequence[Path]) -> Sequence[Finding]:
    """The findings that talk about one of ``paths``, and those about the project as a whole."""
    wanted = [path.resolve() for path in paths]
    if not wanted or project.root in wanted:
        return project.findings

    def concerns(path: str) -> bool:
        file = project.root / path
        return any(file == one or file.is_relative_to(one) for one in wanted)

    return tuple(
        finding
        for finding in project.findings
        if finding.span is None
        or concerns(finding.span.path)
        or any(concerns(label.span.path) for label in finding.related)
    )


def _no_project() -> Finding:
    return Finding(
        code="GS001",
        severity=Severity.ERROR,
        message="not a gsws project here or above",
        help="`gsws init .` makes one",
    )


def _no_text(_: str) -> str | None:
    return None


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
