"""
Each code of the catalogue has a project that provokes it, at a stated place, and one that is right.

Most stand in ``fixtures/<code>.txt``: ``== fails at path:line:column`` and ``== passes`` begin a case, ``-- path`` a
file over the base project. After ``fails at …`` and ``passes`` may follow ``with CODE …`` (other findings that come
along), ``notes``, ``production`` and ``NAME=value`` (variables); after a path ``absent``, ``hex``, ``link=TARGET``,
``mode=644``.
Codes that need more than files have a function here.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest

from gsws.diagnostics import CATALOGUE, Finding, Severity
from gsws.diagnostics.fix import apply_fixes
from gsws.plugins.registry import facts
from gsws.project import Project, load_project
from gsws.project.rules import run
from gsws.routing.modules import ModuleSet
from gsws.routing.table import build_table

FIXTURES = Path(__file__).parent / "fixtures"
BASE = {
    "eventsources/websocket.yaml": "type: websocket\n",
    "events/chat.yaml": '"websocket.chat": {fn: chat}\n',
    "functions/chat.py": "async def chat(ctx): ...\n",
}


@dataclass
class Case:
    """One project of a fixture."""

    place: str | None
    others: set[str] = field(default_factory=set)
    notes: bool = False
    env: str = "development"
    environ: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, list[str], str]] = field(default_factory=list)

    def write(self, root: Path) -> None:
        for name, text in BASE.items():
            put(root / name, text.encode())
        for name, options, text in self.files:
            path = root / name
            path.unlink(missing_ok=True)
            if "absent" in options:
                continue
            link = next((one.removeprefix("link=") for one in options if one.startswith("link=")), None)
            if link is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(link)
                continue
            put(path, bytes.fromhex(text) if "hex" in options else text.encode())
            mode = next((one.removeprefix("mode=") for one in options if one.startswith("mode=")), "600")
            path.chmod(int(mode, 8))

    def load(self, root: Path) -> Project:
        return load_project(root, env=self.env, environ=self.environ, plugins=facts(), notes=self.notes)


@cache
def cases(code: str) -> tuple[Case, ...]:
    """The cases of a fixture file."""
    found: list[Case] = []
    for line in (FIXTURES / f"{code}.txt").read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("== "):
            found.append(_case(line.split()[1:]))
        elif line.startswith("-- "):
            name, *options = line.split()[1:]
            if "with" in options:
                found[-1].others |= set(options[options.index("with") + 1 :])
            found[-1].files.append((name, options, ""))
        else:
            name, options, text = found[-1].files[-1]
            found[-1].files[-1] = (name, options, text + line)
    return tuple(found)


def _case(words: list[str]) -> Case:
    case = Case(words[2] if words[0] == "fails" else None)
    for word in words[3:] if words[0] == "fails" else words[1:]:
        if re.fullmatch(r"GS\d{3}", word):
            case.others.add(word)
        elif "=" in word:
            name, _, value = word.partition("=")
            case.environ[name] = value
        elif word == "notes":
            case.notes = True
        elif word == "production":
            case.env = word
        else:
            assert word == "with", word
    return case


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def place(finding: Finding) -> str:
    span = finding.span
    return "-" if span is None else f"{span.path}:{span.line}:{span.column}"


WITH_FILES = sorted(path.stem for path in FIXTURES.glob("*.txt"))
ALL_CASES = [
    pytest.param(code, case, id=f"{code}-{index}") for code in WITH_FILES for index, case in enumerate(cases(code))
]


@pytest.mark.parametrize(("code", "case"), ALL_CASES)
def test_a_fixture_has_its_finding_or_none(code: str, case: Case, tmp_path: Path) -> None:
    """What fails has the finding at the place that is stated, with nothing else; what passes has nothing."""
    case.write(tmp_path)
    project = case.load(tmp_path)
    found = project.findings

    assert {one.code for one in found} - case.others == ({code} if case.place else set())
    if case.place is not None:
        mine = [one for one in found if one.code == code]
        assert case.place in {place(one) for one in mine}
        assert all(one.message and one.message == one.message.strip() for one in mine)
        assert all(one.help or one.label for one in mine)


@pytest.mark.parametrize("code", WITH_FILES)
def test_a_fixture_has_both_sides(code: str) -> None:
    """Each fixture fails and passes."""
    assert {case.place is None for case in cases(code)} == {True, False}


@pytest.mark.parametrize("code", [code for code in WITH_FILES if CATALOGUE[code].fixable and code != "GS004"])
def test_what_says_that_it_can_be_repaired_is(code: str, tmp_path: Path) -> None:
    """
    A repair takes the finding away and brings no other.

    The mark of GS004 is no part of the text that repairs change; the command line has a test of it.
    """
    repaired = False
    for index, case in enumerate(one for one in cases(code) if one.place is not None):
        root = tmp_path / str(index)
        case.write(root)
        before = case.load(root)
        fixes = apply_fixes(before.findings, before.read_text)
        if not any(finding.code == code for finding in fixes.done):
            continue
        for name, text in fixes.texts.items():
            put(root / name, text.encode())
        assert {one.code for one in case.load(root).findings} <= {one.code for one in before.findings} - {code}
        repaired = True
    assert repaired, "no case has a repair"


def not_a_project(tmp_path: Path) -> Iterator[Finding]:
    yield from load_project(tmp_path, environ={}, plugins=facts()).findings


def handler_that_raises(tmp_path: Path) -> Iterator[Finding]:
    Case(None, files=[("functions/chat.py", [], "raise ValueError\nasync def chat(ctx): ...\n")]).write(tmp_path)
    project = load_project(tmp_path, environ={}, plugins=facts())
    assert project.findings == ()
    modules = ModuleSet(project.base)
    modules.open()
    try:
        yield from build_table(project, modules, {}).findings
    finally:
        modules.close()


def rule_that_raises(tmp_path: Path) -> Iterator[Finding]:
    def broken(_: object) -> Iterator[Finding]:
        raise ZeroDivisionError("of the secret kind")

    Case(None, files=[("functions/more.py", [], "async def more(ctx): ...\n")]).write(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "RULES", (("broken", broken), *run.RULES))
        found = load_project(tmp_path, environ={}, plugins=facts()).findings
    assert {one.code for one in found} == {"GS901", "GS207"}, "the other rules ran"
    assert "secret" not in found[0].message
    yield from found


def _bad_plugin(tmp_path: Path, code: str) -> Iterator[Finding]:
    Case(None).write(tmp_path)
    known = facts()
    broken = replace(known["websocket"], error="the plugin `websocket` cannot be used", error_code=code)
    yield from load_project(tmp_path, environ={}, plugins={"websocket": broken}).findings


SPECIAL: dict[str, Callable[[Path], Iterator[Finding]]] = {
    "GS001": not_a_project,
    "GS214": handler_that_raises,
    "GS702": lambda path: _bad_plugin(path, "GS702"),
    "GS703": lambda path: _bad_plugin(path, "GS703"),
    "GS901": rule_that_raises,
}
"""Codes that need more than files. What passes is the base project, which has no finding."""

ELSEWHERE = {"GS215": "tests/runtime"}
"""Codes that need a running service: the folder of the test that provokes them."""


@pytest.mark.parametrize("code", sorted(SPECIAL))
def test_a_special_case_has_its_finding(code: str, tmp_path: Path) -> None:
    assert code in {finding.code for finding in SPECIAL[code](tmp_path)}


def test_every_code_has_a_fixture() -> None:
    """No code without a case that provokes it."""
    assert set(CATALOGUE) == {*WITH_FILES, *SPECIAL, *ELSEWHERE}
    for code, folder in ELSEWHERE.items():
        texts = (path.read_text(encoding="utf-8") for path in (FIXTURES.parents[2] / folder).rglob("*.py"))
        assert any(code in text for text in texts)


def test_the_base_project_has_no_finding(tmp_path: Path) -> None:
    case = Case(None)
    case.write(tmp_path)
    assert case.load(tmp_path).findings == ()


def test_git_tracks_the_environment(tmp_path: Path) -> None:
    """GS504 in a repository: tracked, then no longer, with an index of either kind."""
    Case(None, files=[(".env", [], "A=1\n")]).write(tmp_path)

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, timeout=20)

    def codes() -> list[str]:
        return [finding.code for finding in load_project(tmp_path, environ={}, plugins=facts()).findings]

    git("init", "-q")
    assert codes() == []
    git("add", "-A")
    assert codes() == ["GS504"]
    git("update-index", "--index-version", "4")
    assert codes() == ["GS504"]
    git("rm", "-q", "--cached", ".env")
    assert codes() == []


def test_severities_are_those_of_the_catalogue(tmp_path: Path) -> None:
    """Two codes are an error or a warning, as the case may be; all others have one severity."""
    for code in WITH_FILES:
        for index, case in enumerate(one for one in cases(code) if one.place is not None):
            root = tmp_path / code / str(index)
            case.write(root)
            for finding in case.load(root).findings:
                known = {CATALOGUE[finding.code].severity}
                if finding.code in ("GS402", "GS408"):
                    known.add(Severity.WARNING)
                assert finding.severity in known, finding
