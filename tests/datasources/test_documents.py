"""The `documents` datasource: its YAML is checked, its index is built beside the start and served to handlers."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gsws.ai.retrieval import FolderIndex
from gsws.datasources.documents import open_index, plugin
from gsws.errors import EnvironmentFailure
from gsws.plugins.registry import facts, registry
from gsws.project import load_project
from gsws.testing import ProjectError, serve

FILES = {
    "eventsources/ws.yaml": "type: websocket\nport: 0\n",
    "events/ask.yaml": "ws.ask:\n  fn: ask\n",
    "functions/ask.py": "async def ask(payload):\n    return payload\n",
}


class Context:
    """What `create` is given."""

    name = "documents"
    environment = "development"
    logger = logging.getLogger("test")
    listen = None
    environ = os.environ

    def __init__(self, base: Path) -> None:
        self.base = base


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nalpha\n")
    (tmp_path / "datasources").mkdir()
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[FolderIndex]]:
    made: list[FolderIndex] = []
    yield made
    for index in made:
        index.close()


def findings(root: Path, text: str) -> list[tuple[str, str]]:
    (root / "datasources" / "documents.yaml").write_text(text)
    return [(one.code, one.message) for one in load_project(root, plugins=facts()).findings]


def config(root: Path, text: str) -> Mapping[str, Any]:
    (root / "datasources" / "documents.yaml").write_text(text)
    project = load_project(root, plugins=facts())
    assert project.findings == ()
    return project.datasources["documents"].config


def test_it_is_installed_as_a_datasource():
    found = registry["documents"]
    assert (found.error, found.source_type, found.built_in) == (None, "datasource", True)


def test_the_file_that_plugin_add_writes_is_right(root: Path):
    assert findings(root, plugin.config_text) == []
    every = plugin.config_text.replace("\n# ", "\n").replace("${GOOGLE_API_KEY}", "k")
    assert findings(root, every) == []


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("type: documents\npaht: docs\n", "GS305", "paht"),
        ("type: documents\npath: 7\n", "GS306", "path"),
        ("type: documents\nmax_file_bytes: many\n", "GS306", "max_file_bytes"),
        ("type: documents\ninclude: []\n", "GS307", "include"),
        ("type: documents\nembeddings: {dimensions: 768}\n", "GS304", "model"),
        ("type: documents\nembeddings: {model: x, dimensions: 2}\n", "GS307", "dimensions"),
        ("type: documents\nwait: 2h\n", "GS307", "wait"),
    ],
)
def test_a_mistake_is_found_when_the_project_loads(root: Path, text: str, code: str, part: str):
    [(found, message)] = findings(root, text)
    assert (found, part in message) == (code, True), message


def test_the_defaults_index_docs_into_the_state_folder(root: Path, opened: list[FolderIndex]):
    index = open_index(config(root, "type: documents\n"), root, "manual", os.environ)
    opened.append(index)
    assert index.documents == root / "docs"
    assert index.database == root / ".gsws" / "manual.sqlite"
    assert [one["source"] for one in index.search("alpha")] == ["a.md"]


def test_a_project_under_src_keeps_its_state_at_the_root(root: Path, opened: list[FolderIndex]):
    (root / "gsws.yaml").write_text("name: x\n")
    (root / "src").mkdir()
    for name in ("events", "eventsources", "functions", "docs", "datasources"):
        (root / name).rename(root / "src" / name)
    index = open_index({}, root / "src", "documents", os.environ)
    opened.append(index)
    assert index.database == root / ".gsws" / "documents.sqlite"
    assert index.documents == root / "src" / "docs"


def test_its_keys_reach_the_index(root: Path, opened: list[FolderIndex]):
    (root / "more").mkdir()
    for name in ("a.md", "b.txt", "c.md"):
        (root / "more" / name).write_text(f"{name[0]} alpha alpha")
    (root / "more" / "long.md").write_text("alpha " * 500)
    text = "type: documents\npath: more\ndatabase: state/x.sqlite\ninclude: ['*.md']\nexclude: [c.md]\n"
    given = config(root, text + "max_file_bytes: 1KiB\nrefresh: false\nwait: 500ms\n")
    index = open_index(given, root, "documents", os.environ)
    opened.append(index)
    assert index.search("alpha") == []
    report = index.refresh()
    assert (report.added, [one.path for one in report.skipped]) == (["a.md"], ["long.md"])
    assert index.database == root / "state" / "x.sqlite"


def test_the_configuration_may_switch_embeddings_off(root: Path, opened: list[FolderIndex]):
    (root / "config").mkdir()
    (root / "config" / "default.yaml").write_text("embeddings: false\n")
    text = "type: documents\nembeddings: <% config.embeddings %>\n"
    index = open_index(config(root, text), root, "documents", os.environ)
    opened.append(index)
    assert index.status()["vectors"] is None


def test_create_gives_an_index_that_is_being_brought_up_to_date(root: Path, opened: list[FolderIndex]):
    """The start of the service does not wait for it, the first question does, for a while."""
    index = plugin.create({}, Context(root))  # type: ignore[arg-type]
    opened.append(index)
    assert [one["source"] for one in index.search("alpha")] == ["a.md"]
    (root / "docs" / "b.md").write_text("# B\n\nomega\n")
    assert [one["source"] for one in index.search("omega")] == ["b.md"]


def test_embeddings_without_a_key_are_refused_at_the_start(root: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("langchain_google_genai", reason="needs the extra `ai`")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(EnvironmentFailure, match="needs a key"):
        plugin.create({"embeddings": {"model": "gemini-embedding-001"}}, Context(root))  # type: ignore[arg-type]


def test_no_finding_quotes_the_key(root: Path):
    [(code, message)] = findings(root, "type: documents\nembeddings: {model: x, api_key: [hunter2]}\n")
    assert (code, "hunter2" in message) == ("GS306", False)


ASK = """
import asyncio


async def ask(ctx, payload):
    found = await asyncio.to_thread(ctx.datasources.documents.search, payload["message"], 3)
    return {"sources": [one["source"] for one in found]}
"""


def test_a_document_dropped_while_serving_is_found_by_the_next_question(root: Path):
    """On a live service: question, drop, question; what is deleted is not quoted any more."""
    (root / "functions" / "ask.py").write_text(ASK)
    (root / "datasources" / "documents.yaml").write_text("type: documents\nwait: 30s\n")
    with serve(root) as project:
        ask = lambda text: project.ask("ws.ask", {"message": text}, timeout=40).data["sources"]  # noqa: E731
        assert ask("alpha") == ["a.md"]
        assert ask("dropped") == []
        (root / "docs" / "new.md").write_text("# New\n\nThis was just dropped.\n")
        assert ask("what was dropped?") == ["new.md"]
        (root / "docs" / "new.md").unlink()
        assert ask("what was dropped?") == []
    assert not any(thread.name == "gsws-index" for thread in threading.enumerate())


def test_a_datasource_that_cannot_be_built_is_a_finding(root: Path):
    (root / "datasources" / "documents.yaml").write_text("type: documents\ndatabase: docs/a.md/x.sqlite\n")
    with pytest.raises(ProjectError, match="GS215"), serve(root):
        pass
