"""
What gsws says about mutants: caught, at the right line, with the right suggestion on top.

A mutant is caught if an error or a warning is new. The line is right if a new finding, or a place that it shows with
it, begins or ends in the changed line, or, for a name that was changed where it is declared, at one of its uses. The
suggestion is right if the first one that is made says the word that was there before; for a declared name, the new one.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gsws.diagnostics import Finding, Severity
from gsws.plugins.registry import facts
from gsws.project import ProjectCache, load_project
from gsws.yaml.reading import parse_yaml
from tests.mutation.meaning import changes, is_meant, role, words_in
from tests.mutation.mutants import Mutant
from tests.mutation.samples import ENVIRON

__all__ = ["Judgement", "Score", "Workbench", "score"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """``suggestion`` is None where no name is near, so that nothing can be suggested."""

    mutant: Mutant
    caught: bool
    line: bool
    suggestion: bool | None
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Score:
    """Sums over judgements; rates are parts of one."""

    judgements: list[Judgement] = field(default_factory=list)
    left_out: int = 0

    @property
    def caught(self) -> float:
        return _rate(judgement.caught for judgement in self.judgements)

    @property
    def line(self) -> float:
        return _rate(judgement.line for judgement in self.judgements)

    @property
    def suggestion(self) -> float:
        return _rate(judgement.suggestion for judgement in self.judgements if judgement.suggestion is not None)

    @property
    def suggestible(self) -> int:
        return sum(judgement.suggestion is not None for judgement in self.judgements)

    def __str__(self) -> str:
        return (
            f"{len(self.judgements)} mutants: caught {self.caught:.1%}, right line {self.line:.1%}, "
            f"right suggestion {self.suggestion:.1%} of {self.suggestible}; {self.left_out} equivalent ones left out"
        )


class Workbench:
    """One clean project on disk, where mutants are tried one after the other."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        self.files = dict(files)
        self._cache = ProjectCache()
        self._plugins = facts()
        self._repeated = words_in(files)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        self._clean = Counter(map(_identity, self.load()))

    def load(self) -> tuple[Finding, ...]:
        """The findings of what is on disk now, notes left out."""
        found = load_project(self.folder, environ=ENVIRON, plugins=self._plugins, cache=self._cache).findings
        return tuple(finding for finding in found if finding.severity is not Severity.INFO)

    def judge(self, mutant: Mutant) -> Judgement | None:
        """Try one mutant; None if it is equivalent."""
        if not self._is_meant(mutant):
            return None
        place = self.folder / mutant.path
        place.write_text(mutant.text)
        try:
            found = self.load()
        finally:
            place.write_text(self.files[mutant.path])
        known = self._clean.copy()
        new = []
        for finding in found:
            identity = _identity(finding)
            known[identity] -= 1
            if known[identity] < 0:
                new.append(finding)
        # What a file cannot be read for is what a person repairs first.
        new.sort(key=lambda finding: finding.severity is not Severity.ERROR)
        line = any(self._is_there(mutant, finding) for finding in new)
        return Judgement(mutant, bool(new), line, self._suggestion(mutant, new), tuple(new))

    def _is_meant(self, mutant: Mutant) -> bool:
        before = self.files[mutant.path]
        if mutant.path.endswith(".py"):
            public = [
                node.name for node in ast.parse(before).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            names = [name for name in public if not name.startswith("_")]
            return mutant.word in names and len(names) > 1
        old, new = parse_yaml(mutant.path, before.encode()), parse_yaml(mutant.path, mutant.text.encode())
        if new.findings:
            return True
        return any(
            is_meant(mutant.path, change, self._repeated) for change in changes(_full(old.data), _full(new.data))
        )

    def _is_there(self, mutant: Mutant, finding: Finding) -> bool:
        spans = [span for span in (finding.span, *(label.span for label in finding.related)) if span is not None]
        changed = range(mutant.line, max(mutant.line, mutant.last) + 1)
        if any(span.path == mutant.path and (span.line in changed or span.end_line in changed) for span in spans):
            return True
        if mutant.gone and finding.span is not None:
            # What is gone is missed at the place that needs it.
            said = self._line(finding.span.path, finding.span.line, mutant)
            return not mutant.gone.isdisjoint(re.split(r"[^\w$-]+", said))
        # A name that was declared here is missed where it is used.
        uses = re.compile(rf"(?<![\w-]){re.escape(mutant.word)}(?![\w-])") if mutant.word else None
        return uses is not None and any(
            span is not None and uses.search(self._line(span.path, span.line, mutant)) for span in [finding.span]
        )

    def _line(self, path: str, number: int, mutant: Mutant) -> str:
        text = mutant.text if path == mutant.path else self.files.get(path, "")
        lines = text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def _suggestion(self, mutant: Mutant, new: Iterable[Finding]) -> bool | None:
        """Only the change of a name that gsws knows can be answered by a name."""
        if not mutant.typo or mutant.typo == mutant.word or not self._is_known_name(mutant):
            return None
        for finding in new:
            for said in _suggested(finding):
                parts, were = set(re.split(r"[./#&\s]+", said)), set(re.split(r"[./#&\s]+", mutant.word))
                # A part of a dotted name stands for it; a declared name is found under its new name.
                if said == mutant.word or mutant.word in parts or said in were:
                    return True
                return self._is_declared(mutant) and (said == mutant.typo or mutant.typo in parts)
        return False

    def _is_declared(self, mutant: Mutant) -> bool:
        """Whether the changed name is declared here, so that whoever refers to it must be told its new form."""
        if mutant.path.endswith(".py"):
            return True
        old, new = (parse_yaml(mutant.path, text.encode()) for text in (self.files[mutant.path], mutant.text))
        for change in changes(_full(old.data), _full(new.data)):
            is_key = mutant.path.startswith("events/") and len(change.path) == 1
            if change.renamed is not None and (is_key or role(mutant.path, change.path) == "name"):
                return True
        return False

    def _is_known_name(self, mutant: Mutant) -> bool:
        if mutant.path.endswith(".py"):
            return True
        old, new = (
            parse_yaml(mutant.path, self.files[mutant.path].encode()),
            parse_yaml(mutant.path, mutant.text.encode()),
        )
        if new.findings:
            return False
        found = list(changes(_full(old.data), _full(new.data)))
        if len(found) != 1:
            return False
        change = found[0]
        if change.renamed is not None:
            return True
        named = isinstance(change.old, str) and isinstance(change.new, str)
        return named and role(mutant.path, change.path) == "word" and change.path[-1] not in ("secret", "port")


def score(bench: Workbench, made: Iterator[Mutant], count: int) -> Score:
    """Judge ``count`` mutants that are not equivalent."""
    result = Score()
    seen: set[tuple[str, str]] = set()
    while len(result.judgements) < count:
        mutant = next(made)
        if (mutant.path, mutant.text) in seen:
            continue
        seen.add((mutant.path, mutant.text))
        judgement = bench.judge(mutant)
        if judgement is None:
            result.left_out += 1
        else:
            result.judgements.append(judgement)
    return result


def _full(value: object) -> object:
    """Data without null values, which count as absent."""
    if isinstance(value, dict):
        return {key: _full(item) for key, item in value.items() if item is not None}
    return [_full(item) for item in value] if isinstance(value, list) else value


def _suggested(finding: Finding) -> Iterator[str]:
    if finding.help is not None:
        yield from re.findall(r"did you mean `([^`]*)`", finding.help)
        yield from re.findall(r"^write `([^`]*)`", finding.help)


def _identity(finding: Finding) -> tuple[object, ...]:
    """Without places: an inserted line must not make a finding new."""
    return (finding.code, finding.message, finding.span.path if finding.span else "")


def _rate(values: Iterable[bool | None]) -> float:
    known = list(values)
    return sum(map(bool, known)) / len(known) if known else 1.0
