"""Files and modules of this repository that the pages, the comments and the docstrings name are there."""

from __future__ import annotations

import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, pages, prose, title

CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
INSIDE = (DOCS / "explanation" / "architecture.md", CONTRIBUTING)
"""Pages about this repository: a path in them is one of it. Elsewhere it may be one of a reader's project."""

MODULES = [path for path in sorted((ROOT / "gsws").rglob("*.py")) if "templates" not in path.parts]

_DOTTED = re.compile(r"(?<![\w./@-])gsws(?:\.[A-Za-z_]\w*)+")
_PATH = re.compile(r"(?<![\w.])(?:[\w.-]+/)+[\w.-]*")
_FILES = {"gsws.d.ts", "gsws.js", "gsws.sarif", "gsws.schema.json", "gsws.yaml", "gsws.yml"}


@cache
def wire_names() -> set[str]:
    """What is called `gsws.…` on the wire: frames, the subprotocol, the token's."""
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "gsws" / "runtime" / "dispatch").rglob("*.py")
    )
    return {"gsws.v1", "gsws.token", "gsws.anything", *re.findall(r'"(gsws\.[a-z]+)"', code)}


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def missing_names(text: str) -> list[str]:
    """The dotted names of gsws in a text that lead nowhere."""
    names = {name for name in _DOTTED.findall(text) if name not in _FILES and name not in wire_names()}
    return sorted(name for name in names if not is_there(name))


def missing_paths(text: str) -> list[str]:
    """The paths in a text that are neither relative to the repository nor to its package."""
    paths = {path.rstrip(".") for quoted in re.findall(r"`([^`\n]+)`", text) for path in _PATH.findall(quoted)}
    return sorted(path for path in paths if not (ROOT / path).exists() and not (ROOT / "gsws" / path).exists())


@pytest.mark.parametrize("page", [*pages(), CONTRIBUTING], ids=title)
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    """Dotted names of gsws can be imported, and files of it are where the page says."""
    text = page.read_text(encoding="utf-8")

    assert missing_names(text) == []
    assert [path for path in re.findall(r"\bgsws/[\w/]+\.py\b", text) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", INSIDE, ids=title)
def test_every_path_of_a_page_about_the_code_is_there(page: Path) -> None:
    """Written from the root, or from `gsws/`."""
    assert missing_paths(prose(page)) == []


@pytest.mark.parametrize("page", [*pages(), CONTRIBUTING], ids=title)
def test_every_target_that_a_page_names_is_there(page: Path) -> None:
    """Of `make`, in the text or in a block; and what a block about this repository is told to test."""
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    tested = (
        re.findall(r"\b(?:pytest|PYTEST_ARGS=)\s*(tests/[\w/.]+(?: tests/[\w/.]+)*)", text) if page in INSIDE else []
    )

    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    assert [path for paths in tested for path in paths.split() if not (ROOT / path).exists()] == []


def test_every_module_that_a_docstring_names_is_there() -> None:
    """What moves is renamed where it is spoken of."""
    named = {path: re.findall(r"(?<!`)`(gsws[\w.]+)`(?!`)", path.read_text(encoding="utf-8")) for path in MODULES}

    assert sum(map(len, named.values())) > 100
    assert {title(path): gone for path, names in named.items() if (gone := missing_names("\n".join(names)))} == {}


def test_what_is_gone_is_found() -> None:
    """Modules, names in them and files; not what is a file or a frame."""
    assert missing_names("`gsws.runtime.hub`, gsws.ai.run, gsws.ai.walk, `gsws.yaml`, gsws.hello") == [
        "gsws.ai.walk",
        "gsws.runtime.hub",
    ]
    assert missing_paths("`runtime/rooms/hub.py`, `runtime/hub.py`, `make test`, `tests/docs/`, `docs/x.md`") == [
        "docs/x.md",
        "runtime/hub.py",
    ]
