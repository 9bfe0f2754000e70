"""What the rules cost: a reload looks again only at what changed, and hostile files end soon."""

from __future__ import annotations

import time

import pytest

from gsws.project import ProjectCache
from gsws.project.rules import files


def test_a_rule_looks_at_a_file_once(tree, monkeypatch):
    """With a cache, the file rules run again for the file that changed and for no other."""
    seen: list[str] = []
    real = files.secrets_in_document

    def counted(document, *, by_name):
        seen.append(document.path)
        return real(document, by_name=by_name)

    monkeypatch.setattr(files, "secrets_in_document", counted)
    tree.cache = ProjectCache()
    tree.write("events/more.yaml", "websocket.more: {fn: chat}\n")
    tree.load()
    assert sorted(seen) == ["events/chat.yaml", "events/more.yaml", "eventsources/websocket.yaml"]
    seen.clear()
    tree.load({"events/more.yaml": "websocket.more2: {fn: chat}\n"})
    assert seen == ["events/more.yaml"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("functions/chat.py", "async def chat(ctx): ...\n" + "# sk-" + "a-" * 200_000),
        ("functions/chat.py", "def chat(ctx): ...\n" + "x.functions" + ".a" * 3000),
        ("functions/chat.py", "async def chat(ctx):\n" + "    async def x(): pass\n" * 3_000),
        ("config/default.yaml", "a: " + "x://" * 100_000),
        ("config/default.yaml", "a: " + "-----BEGIN A " * 50_000),
        ("config/default.yaml", "a: " + "${A:-x}" * 50_000),
        ("config/default.yaml", "# gsws: ignore[GS406]\n" * 30_000),
        ("events/chat.yaml", "websocket.chat: {fn: chat, payload: {pattern: '" + "(a+)+" * 300 + "'}}"),
        ("events/chat.yaml", "websocket.chat: {fn: chat, payload: {pattern: '" + "(" * 300 + "a" + ")*" * 300 + "'}}"),
        (".env.example", "A=\n" * 100_000),
    ],
)
def test_hostile_files_end_soon(tree, name, text):
    began = time.process_time()
    tree.load({name: text})
    assert time.process_time() - began < 30
