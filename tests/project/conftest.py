"""A project in a temporary folder, written file by file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gsws.diagnostics.render.full import render_full
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA, DEFAULTS
from gsws.project import PluginFacts, Project, ProjectCache, load_project

WEBSOCKET = PluginFacts("websocket", "eventsource", CONFIG_SCHEMA, DEFAULTS, "built in")


class Tree:
    """Writes files below ``root`` and loads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}
        self.plugins: dict[str, PluginFacts] = {"websocket": WEBSOCKET}
        self.cache: ProjectCache | None = None

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if name == ".env":
            path.chmod(0o600)
        return path

    def load(self, files: Mapping[str, str | bytes] | None = None, *, env: str = "development") -> Project:
        for name, text in (files or {}).items():
            self.write(name, text)
        return load_project(self.root, env=env, environ=self.environ, plugins=self.plugins, cache=self.cache)

    def codes(self, files: Mapping[str, str | bytes] | None = None) -> list[str]:
        return [finding.code for finding in self.load(files).findings]

    def notes(self, files: Mapping[str, str | bytes] | None = None) -> list[str]:
        """The codes of all findings, those of level info included."""
        self.load(files)
        project = load_project(self.root, environ=self.environ, plugins=self.plugins, notes=True)
        return [finding.code for finding in project.findings]

    def rendered(self, files: Mapping[str, str | bytes] | None = None) -> str:
        project = self.load(files)
        return render_full(project.findings, project.text_of, colour=False).strip()


@pytest.fixture
def empty(tmp_path: Path) -> Tree:
    """A folder without anything."""
    root = tmp_path / "app"
    root.mkdir()
    return Tree(root.resolve())


@pytest.fixture
def tree(empty: Tree) -> Tree:
    """A project of one source, one event and one handler, without findings."""
    empty.write("eventsources/websocket.yaml", "type: websocket\n")
    empty.write("events/chat.yaml", '"websocket.chat": {fn: chat}\n')
    empty.write("functions/chat.py", "async def chat(ctx): ...\n")
    return empty


@pytest.fixture
def event(tree: Tree) -> Callable[[str], Project]:
    """Load the project with other keys of its one event, given as YAML."""

    def load(keys: str) -> Project:
        body = "".join(f"  {line}\n" for line in keys.strip("\n").splitlines())
        return tree.load({"events/chat.yaml": f'"websocket.chat":\n  fn: chat\n{body}'})

    return load
