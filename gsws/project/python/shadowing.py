"""Names that get in each other's way: helpers named like other packages, files that differ by case only."""

from __future__ import annotations

import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from gsws.diagnostics.finding import Finding, Label, error
from gsws.text.span import Span

__all__ = ["case_collisions", "helper_names", "shadowing_findings"]

_NOT_HELPERS: Final = frozenset(
    {
        "benchmarks", "build", "config", "conftest", "datasources", "definitions", "dist", "docs", "events",
        "eventsources", "examples", "functions", "mappings", "node_modules", "noxfile", "public", "scripts", "setup",
        "src", "test", "tests", "venv", "env",
    }
)  # fmt: skip


def helper_names(base: Path) -> dict[str, Path]:
    """
    The modules and packages beside ``functions/`` that handlers may import, by name.

    Args:
        base: The folder that holds ``functions/``.
    """
    helpers: dict[str, Path] = {}
    try:
        entries = sorted(base.iterdir())
    except OSError:
        return helpers
    for entry in entries:
        name = entry.name.removesuffix(".py")
        if not name.isidentifier() or name in _NOT_HELPERS or entry.name.startswith("."):
            continue
        try:
            if (entry.suffix == ".py" and entry.is_file()) or (entry.is_dir() and _holds_python(entry)):
                helpers.setdefault(name, entry)
        except OSError:
            continue
    return helpers


def shadowing_findings(root: Path, helpers: dict[str, Path]) -> Iterator[Finding]:
    """Helpers named like a standard or an installed package (GS210)."""
    for name, place in helpers.items():
        what = None
        if name in sys.stdlib_module_names:
            what = "a module of Python's standard library"
        elif name in _installed():
            what = "an installed package"
        if what is None:
            continue
        shown = place.relative_to(root).as_posix()
        if place.is_dir():
            inner = sorted(place.glob("*.py"))
            shown = inner[0].relative_to(root).as_posix() if inner else shown
        yield error(
            "GS210",
            f"the helper `{name}` has the name of {what}: `import {name}` means one or the other",
            Span.top(shown),
            "",
            f"rename it, for example to `app_{name}`",
        )


def case_collisions(paths: Iterable[str]) -> Iterator[Finding]:
    """Files that are one and the same where file names ignore case (GS206)."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_name[path.casefold()].append(path)
    for names in by_name.values():
        for other in names[1:]:
            yield error(
                "GS206",
                f"`{other}` and `{names[0]}` differ by case only",
                Span.top(other),
                "",
                "on macOS and Windows they are one file; rename one of them",
                [Label(Span.top(names[0]), "the other one")],
            )


@cache
def _installed() -> frozenset[str]:
    """Names that the environment's site-packages answer to; listed once, since nothing else costs less."""
    names = set()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        try:
            for entry in Path(folder).iterdir():
                name = entry.name.partition(".")[0]
                if name.isidentifier() and (entry.suffix in (".py", ".so", ".pyd") or entry.suffix == ""):
                    names.add(name)
        except OSError:
            continue
    return frozenset(names - {"__pycache__"})


def _holds_python(folder: Path) -> bool:
    if (folder / "pyvenv.cfg").exists():
        return False
    return any(entry.suffix == ".py" for entry in folder.iterdir())
