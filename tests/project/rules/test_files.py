"""GS106: event keys that need quotes, and those that do not."""

from __future__ import annotations

import pytest

from gsws.diagnostics.fix import apply_fixes


@pytest.mark.parametrize("key", ["websocket.a/b#c", "websocket.a*", "a & b.c", "websocket.a.", "websocket.ü?"])
def test_a_key_with_characters_of_yaml_is_quoted(tree, key):
    """With its repair, the same event is read from the same key."""
    text = f"{key}:\n  fn: chat\n"
    project = tree.load({"events/chat.yaml": text})
    findings = [one for one in project.findings if one.code == "GS106"]
    assert len(findings) == 1
    assert apply_fixes(findings, project.read_text).texts == {"events/chat.yaml": f'"{key}":\n  fn: chat\n'}


@pytest.mark.parametrize("key", ["websocket.a-b_c/d.e", '"websocket.a#b"', "'websocket.a*'", "x-&anchors"])
def test_a_key_that_is_plain_or_quoted_is_not(tree, key):
    assert "GS106" not in tree.codes({"events/chat.yaml": f"{key}:\n  fn: chat\n"})
