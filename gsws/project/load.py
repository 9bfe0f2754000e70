"""Load a project: the one walk from files to specs and findings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gsws.project.cache import ProjectCache
from gsws.project.specs import PluginFacts, Project

__all__ = ["load_project"]


def load_project(
    root: Path,
    *,
    env: str = "development",
    environ: Mapping[str, str] | None = None,
    plugins: Mapping[str, PluginFacts] | None = None,
    cache: ProjectCache | None = None,
) -> Project:
    """
    Read and check everything; never raises on account of what the files say.

    Args:
        root: What `find_root` returned.
        env: Which ``config/<env>.yaml`` is merged over ``config/default.yaml``.
        environ: The variables of look-ups; ``os.environ`` when None. ``.env`` fills in what they lack.
        plugins: Facts of the installed plugins by type; see `gsws.plugins.registry.facts`.
        cache: Kept between loads by whoever reloads; unchanged files are then not read again.
    """
    raise NotImplementedError
