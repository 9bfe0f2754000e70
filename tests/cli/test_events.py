"""`gsws events`: what is routed where, and what runs for no message."""

from __future__ import annotations

import pytest

from tests.cli.support import inside


def test_hooks_and_declarations_are_shown(starter):
    """Each hook has a row, and an entry for machines; an event says how it declares to be answered."""
    (starter / "functions" / "hooks.py").write_text(
        "async def hello(ctx): ...\n\n\ndef bye(ctx): ...\n\n\nasync def main(ctx): ...\n"
    )
    source = starter / "eventsources" / "websocket.yaml"
    source.write_text(source.read_text() + "\non_connect: hooks.hello\non_disconnect: hooks.bye\n")
    settings = starter / "gsws.yaml"
    settings.write_text(settings.read_text() + "\nlifespan: hooks.main\n")
    (starter / "events" / "more.yaml").write_text(
        '"websocket.more": {fn: more, answers: stream, broadcasts: {b: {}, a: {}}}\n'
    )
    (starter / "functions" / "more.py").write_text("def more(payload):\n    return iter(payload)\n")

    ran = inside("events", cwd=starter)
    assert [line.split()[:3] for line in ran.out.splitlines()[-3:]] == [
        ["on_connect", "websocket", "hooks.hello"],
        ["on_disconnect", "websocket", "hooks.bye"],
        ["lifespan", "-", "hooks.main"],
    ]
    facts = inside("events", "--json", cwd=starter).json
    assert [(one["hook"], one["source"], one["fn"], one["line"]) for one in facts["hooks"]] == [
        ("on_connect", "websocket", "hooks.hello", 1),
        ("on_disconnect", "websocket", "hooks.bye", 4),
        ("lifespan", None, "hooks.main", 7),
    ]
    (more,) = [one for one in facts["events"] if one["event"] == "websocket.more"]
    assert (more["answers"], more["broadcasts"]) == ("stream", ["a", "b"])


@pytest.mark.parametrize(
    "value", ["sk-live-SECRET99", "a/b c.SECRET99", "./functions/SECRET99x.py", "SECRET99.deep:SECRET98"]
)
@pytest.mark.parametrize(
    "keys", ["fn: ${FN}", "fn: greet\n  authz: ${FN}", "fn: greet\n  summary: ${FN}\n  authz: {fn: '${FN}'}"]
)
def test_no_output_names_what_a_name_was_looked_up_as(starter, monkeypatch, value, keys):
    """Neither as it is nor as the name that is proposed in its place."""
    monkeypatch.setenv("FN", value)
    (starter / "events" / "more.yaml").write_text(f"websocket.more:\n  {keys}\n")
    for arguments in (["validate"], ["validate", "--json"], ["events"], ["events", "--json"]):
        ran = inside(*arguments, cwd=starter)
        assert "SECRET9" not in (ran.out + ran.err).replace("${FN}", ""), ran
