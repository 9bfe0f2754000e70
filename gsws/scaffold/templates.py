"""
The project templates that ship with gsws, and their few placeholders.

A template is a folder: `template.toml` describes it, every other file goes into the project. A file
whose name ends in `.tmpl` has its `{{name}}` and `{{version}}` replaced, in one pass and as plain
text; `dot_` at the start of a name stands for the dot.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Template", "find_template", "template_names"]

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """
    One template, read when it is used.

    Attributes:
        name: What ``--template`` takes.
        folder: Where its files are.
        description: One line.
        trial: A ``gsws call`` line that shows the project at work.
        extra: The extra of gsws that it needs, or None.
        package: A package that this extra brings, by which its absence is noticed.
    """

    name: str
    folder: Path
    description: str
    trial: str
    extra: str | None = None
    package: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether what the template needs beside gsws is there; nothing is imported to tell."""
        return self.package is None or find_spec(self.package) is not None

    def files(self, values: Mapping[str, str]) -> dict[str, bytes]:
        """
        The project's files by relative POSIX path, sorted.

        Args:
            values: Text by placeholder; it is put in as it stands, never read as a template again.

        Raises:
            KeyError: If the template names a placeholder that ``values`` lacks.
        """
        made: dict[str, bytes] = {}
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            if not path.is_file() or relative.name == "template.toml" or "__pycache__" in relative.parts:
                continue
            content = path.read_bytes()
            if path.suffix == ".tmpl":
                content = _PLACEHOLDER.sub(lambda match: values[match[1]], content.decode("utf-8")).encode("utf-8")
            made[_target_name(relative)] = content
        return dict(sorted(made.items()))


def template_names() -> tuple[str, ...]:
    """The templates there are, the default one first."""
    names = [path.parent.name for path in _folder().glob("*/template.toml")]
    return tuple(sorted(names, key=lambda name: (name != "starter", name)))


def find_template(name: str) -> Template | None:
    """The template of that name, or None."""
    if name not in template_names():
        return None
    folder = _folder() / name
    facts = tomllib.loads((folder / "template.toml").read_text("utf-8"))
    return Template(name, folder, facts["description"], facts["trial"], facts.get("extra"), facts.get("package"))


def _folder() -> Path:
    """`gsws/scaffold/templates` in an installed package, `templates/` in a checkout."""
    shipped = Path(__file__).parent / "templates"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "templates"


def _target_name(relative: Path) -> str:
    parts = [f".{part[4:]}" if part.startswith("dot_") else part for part in relative.parts]
    return "/".join(parts).removesuffix(".tmpl")
