"""What the pages show is done here as a reader would do it: files are written, commands run, outputs compared."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.routing.modules import ModuleSet
from gsws.routing.table import build_table
from tests.docs.pages import DOCS, ROOT, Block, Stage, blocks, pages, title
from tests.e2e.available import node_modules
from tests.e2e.seed import CLIENT, QUESTION
from tests.e2e.serving import serve, write_project
from tests.e2e.test_node_client import PREAMBLE

FROM_NOTHING = (ROOT / "README.md", DOCS / "tutorial" / "first-service.md")
IN_A_PROJECT = [
    page
    for page in pages()
    if page not in FROM_NOTHING and page.name != "write-a-plugin.md" and any(block.title for block in blocks(page))
]
SOURCE = "type: websocket\nport: 8000\n"
BASE = {"gsws.yaml": "name: app\n", "eventsources/websocket.yaml": SOURCE}


def perform(stage: Stage, script: tuple[Block, ...]) -> None:
    """Live through blocks in order; a file is written where it stands."""
    for index, block in enumerate(script):
        if block.title is not None:
            stage.write(block)
        elif "serve" in block.words:
            assert block.text.strip() == "gsws serve"
            stage.serve()
        elif "run" in block.words:
            follows = script[index + 1] if index + 1 < len(script) else None
            stage.run(block, follows.text if follows is not None and "output" in follows.words else None)


@pytest.mark.parametrize("page", FROM_NOTHING, ids=title)
def test_a_page_that_begins_with_nothing_works(page: Path, tmp_path: Path) -> None:
    """The README and the tutorial, command by command, with one service that is never restarted."""
    with ExitStack() as stack:
        stage = Stage(tmp_path, stack)
        perform(stage, blocks(page))

        assert stage.served is not None
        if page.name == "first-service.md":
            assert stage.reloads == ["not reloaded", "reloaded", "reloaded"]


@pytest.mark.parametrize("page", IN_A_PROJECT, ids=title)
def test_the_files_of_a_page_are_a_project(page: Path, tmp_path: Path) -> None:
    """All files that a page shows make one project without errors whose handlers can be imported and called."""
    files = {block.title: block.text for block in blocks(page) if block.title is not None}
    base = "src/" if any(name.startswith("src/") for name in files) else ""
    root = write_project(tmp_path, {f"{base}eventsources/websocket.yaml": SOURCE, **files})

    project = load_project(root, plugins=facts())
    assert [f"{finding.code} {finding.message}" for finding in project.findings if finding.code != "GS005"] == []
    modules = ModuleSet(project.base)
    modules.open()
    try:
        build = build_table(project, modules, {})
    finally:
        modules.close()
    assert build.findings == ()
    assert len(project.events) > 0 or not any("functions/" in name for name in files)


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page not in FROM_NOTHING and any("run" in block.words for block in blocks(page))],
    ids=title,
)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path) -> None:
    """The commands of a how-to, in a project that has the page's files, served if one of them calls."""
    files = {block.title: block.text for block in blocks(page) if block.title is not None}
    with ExitStack() as stack:
        stage = Stage(write_project(tmp_path / "app", {**BASE, **files}), stack)
        if any("gsws call" in block.text and "--help" not in block.text for block in blocks(page)):
            stage.serve()
        perform(stage, tuple(block for block in blocks(page) if block.title is None))


@pytest.mark.node
def test_the_client_of_the_readme_prints_what_the_readme_says(tmp_path: Path) -> None:
    """P3.1: the ten lines, unchanged, against the starter."""
    modules = node_modules()
    script = blocks(ROOT / "README.md")
    client = next(block.text for block in script if block.language == "js")
    printed = next(block.text for block in script if "client" in block.words)
    files = {block.title: block.text for block in script if block.title is not None}
    project = write_project(tmp_path / "app", {**BASE, **files})

    with serve(project) as server:
        (tmp_path / "preamble.cjs").write_text(PREAMBLE)
        (tmp_path / "client.cjs").write_text(client.replace("8000", str(server.port)))
        done = subprocess.run(
            ["node", "--require", "./preamble.cjs", "client.cjs"],
            cwd=tmp_path,
            env={**os.environ, "MODULES": str(modules)},
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    assert [line.rstrip() for line in done.stdout.splitlines()] == [line.rstrip() for line in printed.splitlines()]


def test_the_client_is_everywhere_the_same() -> None:
    """The README and the protocol show the original's client, with a question of their own."""
    for page in (ROOT / "README.md", DOCS / "reference" / "protocol.md"):
        client = next(block.text for block in blocks(page) if block.language == "js")
        assert client == CLIENT.replace(QUESTION, "hello there")


@pytest.mark.parametrize("page", pages(), ids=title)
def test_code_on_a_page_can_be_read(page: Path) -> None:
    """Python parses, and JSON is one value or several."""
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "json" and "output" not in block.words:
            rest = block.text.strip()
            while rest:
                _, end = json.JSONDecoder().raw_decode(rest)
                rest = rest[end:].strip()
