"""Which findings a command is about: codes chosen by `--select` and `--ignore`, paths, and the level that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gsws.cli import output
from gsws.cli.suggest import did_you_mean
from gsws.diagnostics import CATALOGUE, Finding, Severity

__all__ = ["LEVELS", "Choice", "entry_code", "read_level", "read_prefixes"]

LEVELS: Final = ("error", "warning", "info")
_RANK: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What is shown, and what fails.

    Attributes:
        select: Beginnings of codes; empty for all.
        ignore: Beginnings of codes that are left out all the same.
        level: The mildest severity that makes the command fail.
        paths: Files and folders, real paths; empty for the whole project.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    level: Severity = Severity.ERROR
    paths: tuple[Path, ...] = ()

    @property
    def notes(self) -> bool:
        """Whether findings of level info are wanted: they are only where somebody asks for them."""
        return bool(self.select) or self.level is Severity.INFO

    def of(self, findings: Sequence[Finding], root: Path) -> tuple[Finding, ...]:
        """The findings of a project that are wanted, in their order."""
        everywhere = not self.paths or root in self.paths
        return tuple(
            finding
            for finding in findings
            if (not self.select or finding.code.startswith(self.select))
            and (self.notes or finding.severity is not Severity.INFO)
            and not (self.ignore and finding.code.startswith(self.ignore))
            and (everywhere or self._concerns(finding, root))
        )

    def fails(self, findings: Sequence[Finding]) -> bool:
        """Whether one of the findings is bad enough."""
        return any(_RANK[finding.severity] <= _RANK[self.level] for finding in findings)

    def _concerns(self, finding: Finding, root: Path) -> bool:
        """Whether it talks about one of the paths, or about the project as a whole."""
        if finding.span is None:
            return True
        files = {root / path for path in (finding.span.path, *(label.span.path for label in finding.related))}
        return any(file.is_relative_to(path) for file in files for path in self.paths)


def read_prefixes(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """
    The codes after ``--select`` or ``--ignore``: ``GS201,GS4`` or several times the option.

    Raises:
        Failure: Exit 2 for one that no code begins with, with the nearest code.
    """
    written = [part.strip() for value in values for part in value.split(",")]
    if values and not any(written):
        raise output.misuse(f"`{option}` needs a code", f"for example `{option} GS201,GS4`")
    found = []
    for word in filter(None, written):
        prefix = word.upper()
        if not any(code.startswith(prefix) for code in CATALOGUE):
            raise _unknown(word)
        found.append(prefix)
    return tuple(found)


def read_level(value: str) -> Severity:
    """
    The severity after ``--fail-level``.

    Raises:
        Failure: Exit 2.
    """
    if value.lower() not in LEVELS:
        short = next((level for level in LEVELS if value and level.startswith(value.lower())), None)
        near = f"did you mean `{short}`?" if short else did_you_mean(value.lower(), LEVELS)
        help = near or f"there are {', '.join(LEVELS)}"
        raise output.misuse(f"no level `{value}`", help)
    return Severity(value.lower())


def entry_code(word: str) -> str:
    """
    The code after ``--explain``.

    Raises:
        Failure: Exit 2 for one that is not in the catalogue, with the nearest code.
    """
    if word.upper() in CATALOGUE:
        return word.upper()
    raise _unknown(word)


def _unknown(word: str) -> output.Failure:
    upper = word.upper()
    digits = upper.removeprefix("GS").lstrip("0")
    # A wrong digit is as near to nine codes as to one; the same number written short is certain.
    short = f"GS{digits.zfill(3)}"
    if short in CATALOGUE and short != upper:
        help: str | None = f"did you mean `{short}`?"
    else:
        help = did_you_mean(upper, CATALOGUE)
    return output.misuse(
        f"no finding has the code `{word}`",
        help or f"codes are {next(iter(CATALOGUE))} to {list(CATALOGUE)[-1]}; docs/reference/findings.md lists them",
    )
