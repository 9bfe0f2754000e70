"""A reload of `authn` or `origins`: nobody stays by what no longer counts (P4.2, P7.4)."""

from __future__ import annotations

import pytest

from gsws.runtime.identity.apikeys import hash_of
from tests.runtime.identity.support import ECHO, bearer, refused, source, token, who
from tests.runtime.support import served

KEY = "a-key-of-thirty-two-random-bytes-or-so-it-is"
JWT = "{jwt: {secret: '${JWT_SECRET}'}}"
BOTH = "{jwt: {secret: '${JWT_SECRET}'}, api_keys: {file: keys.yaml}}"
KEYS = f"keys:\n  - {{id: one, subject: ann, hash: '{hash_of(KEY)}'}}\n"


def change(running, authn, more=""):
    text = source(authn, more)["eventsources/websocket.yaml"] if authn else f"type: websocket\nport: 0\n{more}"
    running.write("eventsources/websocket.yaml", text)
    assert not [finding for finding in running.reload("eventsources/websocket.yaml", ".env") if finding.code == "GS304"]


def test_authn_that_is_added_closes_who_is_there_without(tmp_path):
    with served(tmp_path, {**ECHO, ".env": source("{}")[".env"]}) as running, running.client() as before:
        assert before.ask("websocket.who")["eventtype"] == "reply"
        change(running, JWT)
        assert before.closed() == (4501, "a credential is needed now")
        assert who(running, additional_headers=bearer(token()))["subject"] == "ann"
        assert refused(running) == 401


def test_authn_that_lets_anonymous_clients_in_keeps_them(tmp_path):
    """They may send what is open to them, and nothing else."""
    with served(tmp_path, {**ECHO, ".env": source("{}")[".env"]}) as running, running.client() as before:
        change(running, "{jwt: {secret: '${JWT_SECRET}'}, anonymous: true}")
        assert before.ask("websocket.who")["payload"]["error"] == "unauthorized"
        assert before.ask("websocket.open")["eventtype"] == "reply"
        change(running, JWT)
        assert before.closed() == (4501, "a credential is needed now")


def test_authn_that_is_removed_closes_who_came_by_it(tmp_path):
    with served(tmp_path, source(JWT)) as running, running.client(additional_headers=bearer(token())) as ann:
        change(running, None)
        assert ann.closed() == (4501, "authn has changed")


def test_another_secret_closes_who_came_by_the_old_one(tmp_path):
    with served(tmp_path, source(JWT)) as running, running.client(additional_headers=bearer(token())) as ann:
        running.write(".env", "JWT_SECRET=" + "z" * 40 + "\n")
        running.reload(".env")
        assert ann.closed() == (4501, "authn has changed")
        assert refused(running, additional_headers=bearer(token())) == 401
        assert who(running, additional_headers=bearer(token("bob", secret="z" * 40)))["subject"] == "bob"


def test_what_has_not_changed_keeps_its_connections(tmp_path):
    """T15: A token stays good beside a new method, and its end still counts; a key is looked up in the file again."""
    given = {**source(BOTH), "keys.yaml": KEYS}
    with (
        served(tmp_path, given) as running,
        running.client(additional_headers=bearer(token(lasts=-8))) as short,
        running.client(additional_headers=bearer(token())) as long,
        running.client(additional_headers={"X-API-Key": KEY}) as by_key,
    ):
        running.write("functions/auth.py", "def auth(handshake):\n    return None\n")
        change(running, BOTH[:-1] + ", fn: auth}", "origins: ['https://a.example']\n")
        assert short.closed() == (4501, "token expired")
        assert long.ask("websocket.who")["eventtype"] == "reply"
        assert by_key.ask("websocket.who")["eventtype"] == "reply"
        running.write("keys.yaml", "keys: []\n")
        assert by_key.closed() == (4501, "credential revoked")
        assert long.ask("websocket.who")["eventtype"] == "reply"


def test_another_file_of_keys(tmp_path):
    given = {**source("{api_keys: {file: keys.yaml}}"), "keys.yaml": KEYS, "more.yaml": "keys: []\n"}
    with served(tmp_path, given) as running, running.client(additional_headers={"X-API-Key": KEY}) as ann:
        change(running, "{api_keys: {file: more.yaml}}")
        assert ann.closed() == (4501, "credential revoked")


@pytest.mark.parametrize(
    ("after", "stays"),
    [("origins: ['https://a.example', 'https://b.example']\n", True), ("origins: ['https://b.example']\n", False),
     ("origins: []\n", False), ("", False), ("origins: ['*']\n", True)],
)  # fmt: skip
def test_pages_that_are_no_longer_listed_are_closed(tmp_path, after, stays):
    """With 4504; a program, which names no page, stays."""
    before = {"eventsources/websocket.yaml": "type: websocket\nport: 0\norigins: ['https://a.example']\n"}
    with (
        served(tmp_path, {**ECHO, **before}) as running,
        running.client(origin="https://a.example") as page,
        running.client() as program,
    ):
        change(running, None, after)
        if stays:
            assert page.ask("websocket.who")["eventtype"] == "reply"
        else:
            assert page.closed() == (4504, "this origin may no longer connect")
        assert program.ask("websocket.who")["eventtype"] == "reply"


def test_a_page_of_the_same_host_stays_without_origins(tmp_path):
    given = {**ECHO, "eventsources/websocket.yaml": "type: websocket\nport: 0\norigins: ['*']\n"}
    with served(tmp_path, given) as running:
        origin = f"http://127.0.0.1:{running.ports['websocket']}"
        with running.client(origin=origin) as ours, running.client(origin="https://a.example") as foreign:
            change(running, None)
            assert foreign.closed() == (4504, "this origin may no longer connect")
            assert ours.ask("websocket.who")["eventtype"] == "reply"
