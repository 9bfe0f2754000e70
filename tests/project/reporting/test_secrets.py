"""GS503: what is a secret, what is not, and that nothing shows one."""

from __future__ import annotations

import pytest

from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.json import render_json

GOOGLE = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
GITHUB = "ghp_" + "1234567890abcdefghijklmnopqrstuvwxyz"
OPENAI = "sk-proj-" + "abc123DEF456ghi789jkl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEow\\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "line",
    [
        f"key: {GOOGLE}",
        f"# key: {GOOGLE}",
        f"a: 'Bearer {GITHUB}'",
        f"a: [{OPENAI}]",
        f'pem: "{PEM}"',
        "url: postgres://shop:hunter2@db.example.com/shop",
        "password: hunter2hunter2",
        "db: {password: hunter2hunter2}",
        "apiKey: 8f3c9a7d2e1b",
        "client_secret: 8f3c9a7d2e1b",
        "secret: dev-secret",
    ],
)
def test_a_secret_in_yaml(tree, line):
    assert tree.codes({"config/default.yaml": f"{line}\n"}) == ["GS503"]


@pytest.mark.parametrize(
    "line",
    [
        "password: ${DB_PASSWORD}",
        "password: ''",
        "token: bearer",
        "token_url: https://example.com/token",
        "max_tokens: 4096",
        "url: postgres://localhost/shop",
        "url: postgres://postgres:postgres@localhost/shop",
        "a: task-management-for-teams",
        "a: sk-is-short-for-key",
        "passwords: [rules]",
        "b: AKIA",
    ],
)
def test_no_secret_in_yaml(tree, line):
    tree.environ = {"DB_PASSWORD": "hunter2hunter2"}
    assert tree.codes({"config/default.yaml": f"{line}\n"}) == []


def test_examples_of_payloads_are_no_secrets(tree):
    events = '"websocket.chat": {fn: chat, payload: true, examples: [{password: hunter2hunter2}]}\n'
    assert tree.codes({"events/chat.yaml": events}) == []


@pytest.mark.parametrize(
    "line",
    [
        f'X = "{GOOGLE}"',
        f"# {GITHUB}",
        'PASSWORD = "Tr0ub4dor&3"',
        'password: str = "correcthorse"',
        'client = connect(password="Tr0ub4dor&3")',
        'settings = {"api_key": "8f3c9a7d2e1b44"}',
        'settings["secret"] = "8f3c9a7d2e1b44"',
        'def connect(token="8f3c9a7d2e1b44"): ...',
        'class A:\n    api_key = "8f3c9a7d2e1b44"',
        f'PEM = "{PEM}"',
    ],
)
def test_a_secret_in_python(tree, line):
    assert tree.codes({"functions/chat.py": f"{line}\nasync def handler(ctx): ...\n"}) == ["GS503"]


@pytest.mark.parametrize(
    "line",
    [
        'import os\nPASSWORD = os.environ["PASSWORD"]',
        'PASSWORD = ""',
        'TOKEN = "JWT_TOKEN"',
        'PASSWORD_FIELD = "user.password"',
        'password = "user_password"',
        'token = "stream.token"',
        'event = {"token": "abc"}',
        'secret = "API_SECRET"',
        'x = {"type": "password"}',
        "def f(password=None): ...",
    ],
)
def test_no_secret_in_python(tree, line):
    assert tree.codes({"functions/chat.py": f"{line}\nasync def handler(ctx): ...\n"}) == []


@pytest.mark.parametrize("format", ["full", "json"])
def test_nothing_shows_a_secret(tree, format):
    """Neither an excerpt nor a sentence, not even of another finding on the same line; columns stay right."""
    tree.write("functions/chat.py", f'KEY = "{GOOGLE}"; import requests\nasync def chat(ctx): ...\n')
    tree.write("config/default.yaml", f"a: {{password: hunter2hunter2, b: ${{UNSET}}}}\nb: {GITHUB}\n")
    tree.write("eventsources/websocket.yaml", f"type: websocket\nport: {OPENAI}\n")
    project = tree.load()

    assert {finding.code for finding in project.findings} == {"GS503", "GS501", "GS306"}
    if format == "full":
        text = render_full(project.findings, project.text_of, colour=False)
        assert "password: **************, b: ${UNSET}" in text
    else:
        text = render_json(project.findings, files=1, events=1)
    for secret in (GOOGLE, "hunter2", GITHUB, OPENAI):
        assert secret not in text
        assert secret[:20] not in text


def test_a_repair_sees_the_file_as_it_is(tree):
    project = tree.load({"config/default.yaml": "password: hunter2hunter2\n"})

    assert project.text_of("config/default.yaml") == "password: **************\n"
    assert project.read_text("config/default.yaml") == "password: hunter2hunter2\n"


def test_the_example_of_an_environment_is_no_place_for_a_key(tree):
    assert tree.codes({".env.example": f"GOOGLE_API_KEY={GOOGLE}\n"}) == ["GS503"]
    assert tree.codes({".env.example": "GOOGLE_API_KEY=\n", ".env": f"GOOGLE_API_KEY={GOOGLE}\n"}) == []


def test_a_silenced_secret_is_still_hidden(tree):
    project = tree.load({"config/default.yaml": "password: hunter2hunter2  # gsws: ignore[GS503]\n"})

    assert project.findings == ()
    assert "hunter2" not in (project.text_of("config/default.yaml") or "")


@pytest.mark.parametrize("url", ["https://a.example/keys?token=tk4hunter2", "https://svc:tk4hunter2@a.example/keys"])
@pytest.mark.parametrize("key", ["jwks_url", "jwks_ulr", "issuer: 5, leeway"])
def test_a_literal_url_is_shown_without_what_lets_somebody_in(tree, url, key):
    """Neither in an excerpt nor in a sentence, whether the finding is about it or about its neighbour."""
    text = f"type: websocket\nauthn: {{jwt: {{{key}: '{url}', algorithms: [HS256]}}}}\n"
    project = tree.load({"eventsources/websocket.yaml": text})
    assert project.findings
    shown = render_full(project.findings, project.text_of) + render_json(project.findings, files=1, events=1)
    assert "tk4hunter2" not in shown
    assert "a.example/keys" in shown
