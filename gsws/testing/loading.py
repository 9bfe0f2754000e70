"""A project made ready for a test: without errors, and on free ports of the loopback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.render import render_full
from gsws.errors import GSWSError
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, find_root, load_project
from gsws.runtime.service import Service

__all__ = ["HOST", "ProjectError", "load_service", "root_of"]

HOST = "127.0.0.1"


class ProjectError(GSWSError):
    """
    The project cannot be served: it has errors, or there is none.

    Attributes:
        findings: What is wrong, as values.
    """

    def __init__(self, text: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(text)
        self.findings = findings


def root_of(path: str | Path) -> Path:
    """
    The root of the project at a path or above it.

    Raises:
        ProjectError: If there is none.
    """
    root = find_root(Path(path).resolve())
    if root is None:
        raise ProjectError(f"no gsws project in `{path}`: it has neither gsws.yaml nor the folders of a project")
    return root


async def load_service(root: Path, env: str, cache: ProjectCache) -> Service:
    """
    Load a project and import its handlers; nothing is bound yet.

    Raises:
        ProjectError: If it has errors.
    """
    project = load_project(root, env=env, plugins=facts(), cache=cache)
    _refuse(project, project.findings)
    several = len(project.sources) > 1
    service = Service(_on_free_ports(project) if several else project, host=HOST, port=None if several else 0)
    try:
        _refuse(project, await service.load())
    except ProjectError:
        service.hurry()
        await service.stop()
        raise
    return service


def _refuse(project: Project, findings: tuple[Finding, ...]) -> None:
    errors = tuple(finding for finding in findings if finding.severity is Severity.ERROR)
    if errors:
        text = render_full(errors, project.text_of)
        raise ProjectError(f"the project in `{project.root}` has errors\n\n{text}", errors)


def _on_free_ports(project: Project) -> Project:
    """With several sources each gets a port of its own."""
    sources = {
        name: replace(spec, config={**spec.config, "port": 0}) if "port" in spec.config else spec
        for name, spec in project.sources.items()
    }
    return replace(project, sources=sources)
