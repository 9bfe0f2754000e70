"""Rules about variables, production and what a source takes."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("files", "codes"),
    [
        ({".env.example": "# A=1\n", "config/default.yaml": "a: ${A}\n"}, []),
        ({".env.example": "export A=\n", "config/default.yaml": "a: <% process.env.A %>\n"}, []),
        ({".env.example": "", "config/default.yaml": "a: ${A:-1}\nb: $${B}\n# c: ${C}\n"}, []),
        ({".env.example": "", "config/default.yaml": "a: ${A:?needed}\n"}, ["GS505"]),
        ({".env.example": "A=\n", "functions/chat.py": "import os\ndef chat(ctx): os.getenv('A')\n"}, []),
        ({".env.example": "", "functions/chat.py": "from os import environ\ndef chat(ctx): environ['A']\n"}, ["GS505"]),
        ({".env.example": "", "functions/chat.py": "import os\ndef chat(ctx): os.environ.get('A')\n"}, []),
        ({".env.example": "LANGSMITH_API_KEY=\nGEMINI_API_KEY=\n"}, []),
        ({".env.example": "AB=\n", "config/default.yaml": "a: ${A}\n"}, ["GS505", "GS505"]),
    ],
)
def test_the_example_and_what_is_used(tree, files, codes):
    tree.environ = {"A": "1"}
    assert tree.codes(files) == codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("type: websocket\norigins: ['http://127.0.0.1:3000']\n", ["GS608"]),
        ("type: websocket\norigins: ['https://localhost.example.com']\n", []),
        ("type: websocket\nauthn: {jwt: {secret: '${S:-0123456789abcdef0123456789abcdef}'}}\n", ["GS608"]),
        ("type: websocket\nauthn: {jwt: {secret: '${S}'}}\n", ["GS501"]),
    ],
)
def test_development_in_production(tree, text, codes):
    tree.write("eventsources/websocket.yaml", text)

    assert [finding.code for finding in tree.load(env="production").findings] == codes
    assert "GS608" not in tree.codes()


@pytest.mark.parametrize(
    ("payload", "limit", "codes"),
    [
        ("{type: string, maxLength: 2000000}", None, ["GS605"]),
        ("{type: string, maxLength: 1000000}", None, []),
        ("{type: string}", 100, []),
        ("{type: array, maxItems: 50, items: {type: string, maxLength: 10}}", 100, ["GS605"]),
        ("{properties: {a: {maxLength: 60}, b: {maxLength: 60}}}", 100, ["GS605"]),
        ("{anyOf: [{maxLength: 10}, {maxLength: 600}]}", 100, ["GS605"]),
        ("{maxLength: 600, enum: [a]}", 100, []),
        ("{maxLength: 600, pattern: '^a$'}", 100, []),
    ],
)
def test_what_a_schema_allows_fits_the_source(tree, payload, limit, codes):
    limits = "" if limit is None else f"limits: {{message_bytes: {limit}}}\n"
    tree.write("eventsources/websocket.yaml", f"type: websocket\n{limits}")
    assert tree.codes({"events/chat.yaml": f"websocket.chat: {{fn: chat, payload: {payload}}}\n"}) == codes


def test_a_link_to_itself_as_environment_ends(tree):
    (tree.root / ".env.example").symlink_to(".env.example")
    assert tree.codes() == []
