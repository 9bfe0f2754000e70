"""Names of functions that were looked up are told to nobody, and a parameter's misspelt name is told."""

from __future__ import annotations

import pytest

from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.json import render_json


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("events/chat.yaml", '"websocket.chat": {fn: "${FN}"}\n'),
        ("events/chat.yaml", '"websocket.chat": {fn: chat, authz: "${FN}"}\n'),
        ("eventsources/websocket.yaml", "type: websocket\non_connect: ${FN}\n"),
        ("eventsources/websocket.yaml", "type: websocket\nauthn:\n  fn: ${FN}\n"),
        ("gsws.yaml", "name: app\nlifespan: ${FN}\n"),
    ],
    ids=["fn", "authz", "on_connect", "authn", "lifespan"],
)
@pytest.mark.parametrize("name", ["inner.hunter2", "zz9", "a/b9zz", "chat.hunter2", "chatt"])
def test_a_name_that_was_looked_up_is_shown_nowhere(tree, file, text, name):
    """Neither the name nor the path that it would be, nor the nearest name; and nothing writes over the look-up."""
    tree.environ = {"FN": name}
    project = tree.load({file: text})
    [finding] = [one for one in project.findings if one.code[:3] in ("GS2", "GS1")]
    shown = render_full([finding], project.text_of) + render_json([finding], files=1, events=1)
    assert finding.code in ("GS201", "GS110")
    assert "`${FN}`" in finding.message
    assert finding.fix is None
    assert name not in shown
    assert name.replace(".", "/") not in shown
    assert "did you mean" not in shown


def test_a_name_in_the_file_is_shown(tree):
    [finding] = tree.load({"events/chat.yaml": '"websocket.chat": {fn: chatt}\n'}).findings[:1]
    assert finding.message == "no function `chatt` under functions/"
    assert finding.help == "did you mean `chat`?"


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ("paylod", "payload"),
        ("ctx, *, paylod=None", "payload"),
        ("ctx, clientid=None", "clientId"),
        ("ctx, loger=None", "logger"),
        ("payload", None),
        ("contxt", None),
        ("event", None),
        ("client", None),
        ("ctx, retries=3", None),
        ("ctx, _payload=None", None),
        ("ctx, *payloads, **inputss", None),
    ],
)
def test_a_misspelt_parameter(tree, parameters, meant):
    """It is called all the same, with something else than its name says; the context may be called anything."""
    findings = tree.load({"functions/chat.py": f"async def chat({parameters}): ...\n"}).findings
    assert [(one.code, one.help) for one in findings] == ([("GS216", f"did you mean `{meant}`?")] if meant else [])
