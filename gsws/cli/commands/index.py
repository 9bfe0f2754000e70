"""`gsws index`: bring the indexes of a project's documents up to date, and show what is in them."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from gsws.cli import output
from gsws.cli.current_project import check_files, load_current
from gsws.datasources.documents import open_index
from gsws.project import Project
from gsws.project.specs import DatasourceSpec

if TYPE_CHECKING:
    from gsws.ai.retrieval import Progress, Report

__all__ = ["run"]

_SHOWN: Final = 10
"""So many files are named for each outcome; ``--json`` names all."""
_STEP: Final = 200
"""On a pipe, a line of progress for so many files."""


def run(*, name: str | None, rebuild: bool, env: str, as_json: bool) -> int:
    """
    Index the documents of the project of the working directory.

    Args:
        name: Only this datasource; all of type ``documents`` by default.
        rebuild: Read every file anew.

    Returns:
        1 if a document could not be read or an index not be brought up to date, else 0. Skipped files are no failure.

    Raises:
        Failure: If there is no project, or no such datasource (exit 1).
        EnvironmentFailure: If the extra `ai` or a key is missing (exit 4).
    """
    project = load_current(env)
    specs = _chosen(project, name)
    reports: dict[str, Report] = {}
    for spec in specs:
        reports[spec.name] = _index(project, spec, rebuild)
        if not as_json:
            _show(spec.name, reports[spec.name])
    good = all(not report.failed and report.problem is None for report in reports.values())
    if as_json:
        output.result_json({"ok": good, "indexes": {name: asdict(report) for name, report in reports.items()}})
    return output.GOOD if good else output.FAILED


def _chosen(project: Project, name: str | None) -> list[DatasourceSpec]:
    specs = [spec for spec in project.datasources.values() if spec.type == "documents"]
    if name is not None:
        specs = [spec for spec in specs if spec.name == name]
    check_files(project, {spec.path for spec in specs})
    if not specs:
        what = f"no datasource `{name}` of `type: documents`" if name else "no datasource of `type: documents`"
        raise output.Failure(f"this project has {what}", "`gsws plugin add documents` writes one")
    return specs


def _index(project: Project, spec: DatasourceSpec, rebuild: bool) -> Report:
    try:
        with (
            contextlib.closing(open_index(spec.config, project.base, spec.name, project.environ)) as index,
            _progress() as progress,
        ):
            return index.refresh(progress, rebuild=rebuild)
    except sqlite3.Error as error:
        raise output.Failure(f"the index of `{spec.name}` cannot be written: {error}") from None


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for a person, a line now and then for a log; both on stderr."""
    if not output.is_terminal(sys.stderr):
        yield _lines
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=output.console(sys.stderr), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def draw(what: str, done: int, total: int) -> None:
            key = "embeddings" if what == "embeddings" else "reading"
            if key not in tasks:
                tasks[key] = bars.add_task(key, total=total)
            shown = key if key == "embeddings" else output.plain(what[-40:]).ljust(40)
            bars.update(tasks[key], completed=done, total=total, description=shown)

        yield draw


def _lines(what: str, done: int, total: int) -> None:
    if done and (done % _STEP == 0 or what == "embeddings"):
        output.note(f"{'embeddings' if what == 'embeddings' else 'read'}: {done} of {total}")


def _show(name: str, report: Report) -> None:
    """What was done in one line on stdout; files that need attention on stderr."""
    for mark, paths in (("added", report.added), ("changed", report.changed), ("removed", report.removed)):
        _name_some(mark, paths)
    _name_some("renamed", [f"{old} -> {new}" for old, new in report.renamed])
    _name_some("skipped", [f"{one.path} ({one.reason})" for one in report.skipped], total=report.skipped_total)
    for one in report.failed[:_SHOWN]:
        output.warn(f"{one.path}: {one.reason}")
    if len(report.failed) > _SHOWN:
        output.warn(f"{len(report.failed) - _SHOWN} more files could not be read")
    if report.problem is not None:
        output.show_failure(report.problem)
    vectors = "" if report.vectors is None else f", {report.vectors} with a vector"
    done = (
        f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed, "
        f"{len(report.renamed)} renamed, {report.unchanged} unchanged, {len(report.failed)} failed"
    )
    output.result(
        f"{name}: {report.documents} documents, {report.chunks} chunks{vectors} ({done}; {report.seconds:.2f} s)"
    )


def _name_some(mark: str, names: list[str], *, total: int | None = None) -> None:
    for one in names[:_SHOWN]:
        output.note(f"  {mark:<8} {output.plain(one)}")
    rest = (len(names) if total is None else total) - min(len(names), _SHOWN)
    if rest > 0:
        output.note(f"  {mark:<8} and {rest} more")
