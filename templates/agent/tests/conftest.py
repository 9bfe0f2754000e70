"""Every test has its own conversations and no key of yours."""

import pytest


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENT_MODEL", "offline")
    monkeypatch.setenv("AGENT_THREADS", f"sqlite:///{tmp_path}/threads.sqlite")
