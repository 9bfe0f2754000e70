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
from tests.e2e.serving import initialised, serve, write_project
from tests.e2e.test_node_client import PREAMBLE

TUTORIALS = DOCS / "tutorial"
FROM_NOTHING = (
    ROOT / "README.md",
    TUTORIALS / "first-service.md",
    TUTORIALS / "first-agent.md",
    TUTORIALS / "resumable-stream.md",
)
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
            # The first file names a function that comes with the second; a slow machine sees both at once.
            assert stage.reloads[-2:] == ["reloaded", "reloaded"]


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
def test_the_client_of_the_readme_reads_the_agent_s_answer(tmp_path: Path) -> None:
    """P3.1: the original's ten lines, unchanged, against the template `agent`, offline."""
    modules = node_modules()
    initialised(tmp_path / "app", "agent")
    with serve(tmp_path / "app", environ={"AGENT_MODEL": "offline"}) as server:
        (tmp_path / "preamble.cjs").write_text(PREAMBLE)
        (tmp_path / "client.cjs").write_text(CLIENT.replace("8000", str(server.port)))
        done = subprocess.run(
            ["node", "--require", "./preamble.cjs", "client.cjs"],
            cwd=tmp_path,
            env={**os.environ, "MODULES": str(modules)},
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    lines = done.stdout.splitlines()
    assert lines[0] == "[stream.start] [STREAM_START]"
    assert lines[-1] == "[stream.end] [STREAM_END]"
    assert "machine" in done.stdout
    assert "undefined" not in done.stdout, "every frame has a text for clients that read just that (P2.3)"


def test_the_client_is_everywhere_the_same() -> None:
    """The README and the protocol show the original's client."""
    for page, question in ((ROOT / "README.md", QUESTION), (DOCS / "reference" / "protocol.md", "hello there")):
        client = next(block.text for block in blocks(page) if block.language == "js")
        assert client == CLIENT.replace(QUESTION, question)


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
