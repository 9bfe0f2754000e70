"""Values against shapes: what is null, what a look-up emptied, and what stands in place of a mapping."""

from __future__ import annotations

import pytest

from gsws.diagnostics.finding import Severity

SOURCE = "eventsources/websocket.yaml"


def found(tree, text):
    return [(one.code, one.message, one.help) for one in tree.load({SOURCE: f"type: websocket\n{text}\n"}).findings]


@pytest.mark.parametrize("value", ["${PORT}", "<% process.env.PORT %>", "<% mappings.net.port %>", "${NONE}"])
def test_a_look_up_of_nothing_is_not_silently_the_default(tree, value):
    """A variable that is there and empty was meant to say something."""
    tree.environ = {"PORT": "", "NONE": "null"}
    tree.write("mappings/net.yaml", "port: null\n")
    [(code, message, help)] = found(tree, f"port: {value}")
    assert (code, message) == ("GS506", "`port` has no value: what was looked up is empty or null")
    assert help is not None
    assert "${NAME:-}" in help


@pytest.mark.parametrize("text", ["port: ${PORT:-}", "port: ${PORT:-8001}", "port:", "x-note: ${PORT}", "port: null"])
def test_what_says_itself_that_it_may_be_missing_is(tree, text):
    tree.environ = {"PORT": ""}
    assert found(tree, text) == []


def test_a_required_key_that_was_emptied_is_told_once(tree):
    tree.environ = {"NOTHING": ""}
    findings = tree.load({"events/chat.yaml": '"websocket.chat": {fn: "${NOTHING}"}\n'}).findings
    assert [one.code for one in findings if one.severity is Severity.ERROR] == ["GS506"]


@pytest.mark.parametrize(
    ("file", "text", "near"),
    [
        ("events/chat.yaml", '"websocket.chat":\n  fn: chat\n  autz: #auth.may\n', "authz"),
        ("events/chat.yaml", '"websocket.chat":\n  fn: chat\n  timout:\n', "timeout"),
        (SOURCE, "type: websocket\nauthnn: ~\n", "authn"),
        (SOURCE, "type: websocket\nlimits:\n  rates:\n", "rate"),
        ("gsws.yaml", "nam: null\n", "name"),
    ],
)
def test_a_misspelt_key_without_a_value_is_unknown(tree, file, text, near):
    """What is null counts as absent, and still a key that nobody knows is none."""
    [finding] = tree.load({file: text}).findings
    assert finding.code == "GS305"
    assert finding.help == f"did you mean `{near}`?"


def test_an_extension_without_a_value_is_none(tree):
    assert found(tree, "x-later:") == []


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("limits: {rate: 5}", "`rate: {messages: 5}`"),
        ("limits: {connect_rate: 5}", "`connect_rate: {connections: 5}`"),
        ("heartbeat: 20s", "`heartbeat: {interval: 20s}`"),
        ("tls: cert.pem", "`tls: {cert: cert.pem}`"),
    ],
)
def test_a_scalar_in_place_of_a_mapping_is_shown_inside_of_one(tree, text, example):
    [(code, message, help)] = found(tree, text)
    assert code == "GS306"
    assert "must be a mapping, found" in message
    assert help == f"for example {example}"


def test_what_would_be_a_secret_is_not_quoted(tree):
    [(code, message, help)] = found(tree, "authn: {jwt: hunter2hunter2}")[:1]
    assert (code, message) == ("GS306", "`authn.jwt` must be a mapping, found text")
    assert help == "for example `jwt: {secret: …}`"
