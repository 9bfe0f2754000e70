"""
Promises about the whole: what one part says must be found in another.

Points of the protocol and findings are named by tests, findings and public names stand in the reference, links lead
somewhere, and modules say what they are. Not here: what a single module promises.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import gsws
from gsws.diagnostics import CATALOGUE
from tests.tools.reference import FINDINGS, emitted_codes, findings_page

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for path in (ROOT / "gsws").rglob("*.py"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

# What is served so far. Rooms across processes (P11.3) are not.
POINTS = (
    *("P1.1", "P1.2", "P1.3"),
    *("P2.1", "P2.2", "P2.3", "P2.4", "P2.5"),
    *("P3.1", "P3.2", "P4.1", "P4.2", "P4.3"),
    *("P5.1", "P5.2", "P5.3", "P5.4"),
    *("P6.1", "P6.2", "P6.3", "P6.4", "P6.5", "P6.6", "P6.7"),
    *("P7.1", "P7.2", "P7.3", "P7.4"),
    *("P8.1", "P8.2", "P8.3", "P8.4", "P8.5", "P8.6", "P8.7", "P8.8"),
    *("P9.1", "P9.2", "P9.3", "P9.4", "P10.1", "P10.2", "P11.1", "P11.2", "P11.2a"),
)

HEAVY = ("langgraph", "langchain_core", "langchain_google_genai", "jinja2")


@cache
def text_of_tests() -> str:
    """The text of all tests but this one."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__).resolve()]
    fixtures = [path.stem for path in (ROOT / "tests" / "diagnostics" / "fixtures").glob("*.txt")]
    return "\n".join([*fixtures, *(path.read_text(encoding="utf-8") for path in files)])


@cache
def reference() -> str:
    """The text of the reference pages."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").rglob("*.md"))


@pytest.mark.parametrize("point", POINTS)
def test_every_protocol_point_is_named_by_a_test(point: str) -> None:
    """Each point of the protocol that is served has a test that names it."""
    assert re.search(rf"\b{re.escape(point)}\b", text_of_tests()), f"no test names {point}"


def test_every_threat_is_named_by_a_test() -> None:
    """Each numbered point of the threat model has a test that names it."""
    page = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
    threats = re.findall(r"^\| (T\d+) \|", page, re.MULTILINE)
    assert threats == [f"T{number}" for number in range(1, len(threats) + 1)]
    assert len(threats) >= 15
    unnamed = [threat for threat in threats if not re.search(rf"\b{threat}\b", text_of_tests())]
    assert not unnamed, f"no test names {unnamed}"


def test_every_emitted_code_is_in_the_catalogue() -> None:
    """A finding whose code nobody can look up does not exist."""
    assert emitted_codes(), "no module names a finding"
    assert emitted_codes() <= set(CATALOGUE)


@pytest.mark.parametrize("code", sorted(emitted_codes()))
def test_every_finding_is_tested_and_documented(code: str) -> None:
    """Each finding that can be reported is provoked by a test and explained in the reference."""
    assert code in text_of_tests(), f"no test names {code}"
    assert f"## {code}: " in FINDINGS.read_text(encoding="utf-8"), "run `make reference`"


def test_the_page_of_findings_is_up_to_date() -> None:
    """The page is what the catalogue says today."""
    assert FINDINGS.read_text(encoding="utf-8") == findings_page(), "run `make reference`"


@pytest.mark.parametrize("name", [name for name in gsws.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    """Each name that `gsws` offers exists, says what it is, and has an entry in the reference."""
    assert getattr(gsws, name).__doc__
    assert f"`{name}" in reference(), f"no reference page names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link in the docs points to a file, and to a heading that is there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), f"{page.relative_to(ROOT)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.relative_to(ROOT)}: {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module begins with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "no docstring"


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["validate", "--help"], ["serve", "--help"]])
def test_help_imports_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    """Help and version come without the agent's libraries, the template engine or the file watcher."""
    script = (
        "import sys\nfrom gsws.cli.entry import main\n"
        f"sys.argv = ['gsws', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('loaded', sorted(sys.modules.keys() & set({[*HEAVY, 'watchfiles']!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.splitlines()[-1:] == ["loaded []"], done.stdout + done.stderr
