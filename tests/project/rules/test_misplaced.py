"""GS008: a second `config/` that nobody reads."""

from __future__ import annotations

import pytest

SOURCES = {
    "src/eventsources/websocket.yaml": "type: websocket\n",
    "src/events/chat.yaml": '"websocket.chat": {fn: chat}\n',
    "src/functions/chat.py": "async def chat(ctx): ...\n",
}


@pytest.mark.parametrize("name", ["default.yaml", "production.yml", "custom-environment-variables.yaml"])
def test_a_config_beside_src_is_passed_by_if_src_has_one(empty, name):
    [finding] = empty.load({**SOURCES, "src/config/default.yaml": "a: 1\n", f"config/{name}": "a: 2\n"}).findings
    assert (finding.code, finding.span.path) == ("GS008", f"config/{name}")
    assert finding.help == "keep one of the two folders"


@pytest.mark.parametrize(
    "files", [{"config/default.yaml": "a: 2\n"}, {"src/config/default.yaml": "a: 1\n", "config/nginx.conf": "a\n"}]
)
def test_one_config_is_right(empty, files):
    assert empty.codes({**SOURCES, **files}) == []
