"""Keys that decide who may come in and say nothing are errors, in events and in sources."""

from __future__ import annotations

import pytest

from gsws.diagnostics.finding import Severity

SOURCE = "eventsources/websocket.yaml"
EVENT = "events/chat.yaml"
AUTH = {"functions/auth.py": "def may(ctx):\n    return True\n"}


def said(tree, files):
    findings = tree.load({**AUTH, **files}).findings
    return [one for one in findings if one.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "line",
    ["authz: #auth.may", "authz:", "authz: null", "authz: ~", "authz: # later", "authn:", "authz: {fn: null}",
     "authz: {scopes: }", "authz:\n    fn: auth.may\n    scopes: #chat:write", "authz: !!null ''"],
)  # fmt: skip
def test_an_event_that_says_nothing(tree, line):
    """Absent, it would open the event; one finding, at the place."""
    [finding] = said(tree, {EVENT: f"websocket.chat:\n  fn: chat\n  {line}\n"})
    assert finding.code == "GS306"
    assert "decides who may come in, and has no value" in finding.message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("authn: #later", "authn"),
        ("authn:\n  # jwt: {secret: x}", "authn"),
        ("authz: #auth.may", "authz"),
        ("on_connect: #auth.may", "on_connect"),
        ("origins: #https://app.example.com", "origins"),
        ("origins:\n  # - https://app.example.com", "origins"),
        ("hosts: ~", "hosts"),
        ("tls:", "tls"),
        ("tls: {cert: , key: key.pem}", "tls.cert"),
        ("authn: {api_keys: null, fn: auth.may}", "authn.api_keys"),
        ("authn: {api_keys: {file: }}", "authn.api_keys.file"),
        ("authn: {fn: auth.may, revoked: #revoked.yaml\n  }", "authn.revoked"),
        ("authn: {fn: auth.may, jwt: }", "authn.jwt"),
        ("authn:\n  fn: auth.may\n  jwt:\n    secret: ${JWT}\n    audience: #chat", "authn.jwt.audience"),
    ],
)
def test_a_source_that_says_nothing(tree, text, name):
    environ = {".env": "JWT=abcdefghijklmnopqrstuvwxyz0123456789\n"}
    findings = said(tree, {SOURCE: f"type: websocket\n{text}\n", EVENT: "websocket.chat: {fn: chat}\n", **environ})
    assert [one.message for one in findings if f"`{name}` decides who may come in" in one.message]
    assert "is missing" not in [one.label for one in findings]
    assert not [one for one in findings if one.code == "GS304"]


def test_the_comment_is_named_with_what_was_meant(tree):
    [finding] = said(tree, {EVENT: "websocket.chat:\n  fn: chat\n  authz: #auth.may\n"})
    assert finding.message.endswith("in YAML `#auth.may` is a comment")
    assert finding.help == "write `authz: auth.may`; `#` after a space begins a comment"
    assert (finding.span.line, finding.span.column, finding.span.end_column) == (3, 10, 19)


@pytest.mark.parametrize("value", ["${MAY:-}", "${NOBODY}", "<% config.may %>"])
def test_a_look_up_of_nothing(tree, value):
    """What is looked up may be nothing, too."""
    files = {".env": "NOBODY=null\n", "config/default.yaml": "may: null\nother: 1\n"}
    findings = said(tree, {**files, EVENT: f"websocket.chat:\n  fn: chat\n  authz: {value!r}\n"})
    assert findings
    assert {one.code for one in findings} <= {"GS506", "GS501"}


@pytest.mark.parametrize("line", ["authz: auth.may", "authz: false", "", "x-authz: null", "summary: #none", "rate:"])
def test_what_says_something_or_guards_nothing(tree, line):
    assert said(tree, {EVENT: f"websocket.chat:\n  fn: chat\n  {line}\n"}) == []
