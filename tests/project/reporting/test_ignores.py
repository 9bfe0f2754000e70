"""Comments that silence findings: where they count, what they cannot do, and those that do nothing."""

from __future__ import annotations

import pytest

from gsws.diagnostics.fix import apply_fixes

SLOW = "payload: {type: string, pattern: '^(a+)+$'}"


def event(*lines: str) -> dict[str, str]:
    body = "".join(f"  {line}\n" for line in ("fn: chat", *lines))
    return {"events/chat.yaml": f'"websocket.chat":\n{body}'}


@pytest.mark.parametrize(
    "lines",
    [
        (f"{SLOW} # gsws: ignore[GS408]",),
        (f"{SLOW}   #gsws:ignore[ GS408 ]",),
        ("# gsws: ignore[GS408]", SLOW),
        ("# gsws: ignore[GS408]", "# a word about it", "", SLOW),
        (f"{SLOW} # it is short; gsws: ignore[GS408]".replace("; gsws", " # gsws"),),
        (f"{SLOW} # gsws: ignore[gs408]",),
    ],
)
def test_a_comment_silences(tree, lines):
    assert tree.codes(event(*lines)) == []


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ((f"{SLOW} # gsws: ignore[GS403]",), ["GS408", "GS006"]),
        (("# gsws: ignore[GS408]", "summary: x", SLOW), ["GS006", "GS408"]),
        ((f"{SLOW} # gsws: ignore[GS408, GS403]",), ["GS006"]),
        ((f"{SLOW} # gsws: ignore",), ["GS408", "GS007"]),
        ((f"{SLOW} # gsws: ignore[]",), ["GS408", "GS007"]),
        ((f"{SLOW} # gsws: ignore[GS408,E501]",), ["GS007"]),
        ((f"{SLOW} # gsws: ignored[GS408]",), ["GS408"]),
        (("summary: '# gsws: ignore[GS408]'",), []),
        (("description: |", "  # gsws: ignore[GS408]", "  text"), []),
        (("summary: a#gsws: ignore[GS408]",), ["GS101"]),
        (("sumary: x # gsws: ignore[GS305]",), ["GS305", "GS007"]),
        (("payload: {minLength: 3, maxLength: 1} # gsws: ignore[GS410]",), []),
        (("payload: {maxLenght: 3} # gsws: ignore[GS402]",), []),
        (("payload: {pattern: '['} # gsws: ignore[GS408]",), ["GS408", "GS007"]),
    ],
)
def test_a_comment_that_does_not(tree, lines, codes):
    assert tree.codes(event(*lines)) == codes


def test_a_silenced_error_leaves_a_project_that_can_be_served(tree):
    """What is silenced is enforced as it stands: the event has its validator."""
    project = tree.load(event("payload: {maxLenght: 3, type: string} # gsws: ignore[GS402]"))

    assert project.ok()
    (chat,) = project.events
    assert chat.inbound is not None
    assert chat.inbound.check("long text")
    assert not chat.inbound.check(3)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("import time\nasync def chat(ctx):\n    time.sleep(1)  # gsws: ignore[GS208]\n", []),
        ("import time\nasync def chat(ctx):\n    # gsws: ignore[GS208]\n    time.sleep(\n        1)\n", []),
        ("X = '# gsws: ignore[GS208]'\nasync def chat(ctx): ...\n", []),
        ("# gsws: ignore[GS208]\nasync def chat(ctx): ...\n", ["GS006"]),
        ("async def chat(ctx, x): ...  # gsws: ignore[GS204]\n", ["GS204", "GS007"]),
        ("import torch  # noqa: F401  # gsws: ignore[GS209]\nasync def chat(ctx): ...\n", []),
    ],
)
def test_comments_in_python(tree, text, codes):
    assert tree.codes({"functions/chat.py": text}) == codes


def test_notes_are_judged_only_when_they_are_looked_for(tree):
    files = event("# gsws: ignore[GS407]", "payload: {type: string}")
    assert tree.codes(files) == []
    assert tree.notes(files) == ["GS107", "GS107"]
    assert tree.notes(event("# gsws: ignore[GS407]", "payload: {type: integer}")) == ["GS107", "GS006", "GS107"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x-a: 1   # gsws: ignore[GS103]\n", "x-a: 1\n"),
        ("# gsws: ignore[GS103]\nx-a: 1\n", "x-a: 1\n"),
        ("x-a: 1 # why # gsws: ignore[GS103]\n", "x-a: 1 # why \n"),
        ("x-a: yes # gsws: ignore[GS103, GS102]\n", "x-a: yes # gsws: ignore[GS103]\n"),
        ("x-a: 1 # gsws: ignore[GS103]", "x-a: 1"),
    ],
)
def test_a_repair_removes_what_is_unused(tree, before, after):
    tree.write("events/more.yaml", before)
    project = tree.load()

    repair = apply_fixes(project.findings, project.read_text)

    assert repair.texts == {"events/more.yaml": after}
