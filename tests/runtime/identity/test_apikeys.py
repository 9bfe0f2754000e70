"""API keys: hashed in a file, compared in constant time, followed when the file changes (P4.3)."""

from __future__ import annotations

import contextlib
import hmac
import os
import time

import pytest
from websockets.exceptions import InvalidStatus

from gsws.errors import ServeError
from gsws.runtime.identity import expiry
from gsws.runtime.identity.apikeys import hash_of, read_keys
from gsws.runtime.identity.grantfile import GrantFileError
from tests.runtime.identity.support import bearer, encoded, refused, source, token, who
from tests.runtime.support import served, write

KEY = "gsws_0123456789abcdef0123456789abcdef0123456789a"
OTHER = "another-key-of-thirty-two-random-bytes-or-so"


def entry(key=KEY, id="one", subject="ann", more="scopes: ['chat:write']"):
    return f"  - {{id: {id}, subject: {subject}, hash: '{hash_of(key)}', {more}}}\n"


def files(*entries, authn="{api_keys: {file: keys.yaml}}"):
    return {**source(authn), "keys.yaml": "keys:\n" + "".join(entries)}


def key(value):
    return {"X-API-Key": value}


def test_a_key_says_whose_a_connection_is(tmp_path):
    """By `X-API-Key`, as a bearer token or in the subprotocol (P4.3); the subject is the file's (P4.2)."""
    with served(tmp_path, files(entry())) as running:
        for options in (
            {"additional_headers": key(KEY)},
            {"additional_headers": bearer(KEY)},
            {"subprotocols": [f"gsws.token.{encoded(KEY)}"]},
        ):
            told = who(running, **options)
            assert (told["subject"], told["scopes"], told["authenticated"]) == ("ann", ["chat:write"], True)
        assert who(running, "websocket.write", additional_headers=key(KEY))["subject"] == "ann"
        assert refused(running) == 401
        for bad in (OTHER, KEY[:-1], KEY + "x", KEY.upper(), hash_of(KEY), hash_of(KEY)[7:], "", "*", "x" * 9000):
            assert refused(running, additional_headers=key(bad)) == 401


def test_keys_are_compared_in_constant_time(tmp_path, monkeypatch):
    """Every key of the file is compared, whichever is the right one."""
    seen = []
    real = hmac.compare_digest
    with served(tmp_path, files(entry(), entry(OTHER, "two", "bob"))) as running:
        monkeypatch.setattr(hmac, "compare_digest", lambda a, b: (seen.append(len(a)), real(a, b))[1])
        assert who(running, additional_headers=key(KEY))["subject"] == "ann"
        assert seen == [32, 32]


def test_a_changed_file_counts_for_the_next_handshake(tmp_path):
    with served(tmp_path, files(entry())) as running:
        assert refused(running, additional_headers=key(OTHER)) == 401
        running.write("keys.yaml", "keys:\n" + entry(OTHER, "two", "bob"))
        assert who(running, additional_headers=key(OTHER))["subject"] == "bob"
        assert refused(running, additional_headers=key(KEY)) == 401


@pytest.mark.parametrize(
    "broken",
    [
        "keys: [\n",
        "keys:\n  - {id: one, subject: ann}\n",
        "\x00",
        "keys: 7\n",
        "",
        "\n",
        "# ours\n",
        "---\n",
        "keys:\n",
        "keys: #[]\n",
        "keys: ~\n",
        "{}\n",
        "keys",
    ],
)
def test_a_file_that_cannot_be_used_lets_nobody_in(tmp_path, broken):
    """T3: Not even who stood in it before; who is in stays for a while, and nobody is told that a key is bad (503)."""
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        running.write("keys.yaml", broken)
        for _ in range(3):
            assert refused(running, additional_headers=key(KEY)) == 503
        assert len(running.log("the file of API keys cannot be used; nobody is let in by it")) == 1
        assert ann.ask("websocket.who")["eventtype"] == "reply"
        running.write("keys.yaml", "keys:\n" + entry())
        assert who(running, additional_headers=key(KEY))["subject"] == "ann"
        assert running.log("the file of API keys is good again")
        assert ann.ask("websocket.who")["eventtype"] == "reply"


@pytest.mark.parametrize("trouble", ["directory", "pipe", "large", "loop"])
def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path, trouble):
    path = tmp_path / "keys.yaml"
    with served(tmp_path, files(entry())) as running:
        path.unlink()
        if trouble == "directory":
            path.mkdir()
        elif trouble == "pipe":
            os.mkfifo(path)
        elif trouble == "loop":
            path.symlink_to(path)
        else:
            path.write_text("keys:\n" + entry() + "#" * 2**20)
        assert refused(running, additional_headers=key(KEY), open_timeout=5) == 503


def test_connections_end_when_a_file_cannot_be_used_for_long(tmp_path, monkeypatch):
    """With a code that lets clients come again (P7.4): nothing is known of their keys."""
    monkeypatch.setattr(expiry, "_BLIND", 0.2)
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        running.write("keys.yaml", "keys: [\n")
        assert ann.closed() == (4000, "credential cannot be checked")


def test_a_file_that_is_gone_has_no_keys(tmp_path):
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        (tmp_path / "keys.yaml").unlink()
        assert refused(running, additional_headers=key(KEY)) == 401
        assert running.log("the file of API keys is gone; nobody is let in by it")
        assert ann.closed() == (4501, "credential revoked")
        running.write("keys.yaml", "keys:\n" + entry())
        assert who(running, additional_headers=key(KEY))["subject"] == "ann"


def test_a_revoked_key_ends_its_connections(tmp_path):
    """With 4501, and nobody else's (P7.4)."""
    with served(tmp_path, files(entry(), entry(OTHER, "two", "bob"))) as running:
        with running.client(additional_headers=key(KEY)) as ann, running.client(additional_headers=key(OTHER)) as bob:
            assert ann.ask("websocket.who")["eventtype"] == "reply"
            running.write("keys.yaml", "keys:\n" + entry(OTHER, "two", "bob", "scopes: [new]"))
            assert ann.closed() == (4501, "credential revoked")
            answer = bob.ask("websocket.who")["payload"]["data"]
            assert (answer["subject"], answer["scopes"]) == ("bob", ["new"])


@pytest.mark.parametrize("visitor", [OTHER, "no-key-at-all", KEY])
def test_whoever_connects_first_takes_no_revocation_from_the_others(tmp_path, visitor):
    """T2: A handshake that reads the changed file does not keep it from those who are in by it."""
    with served(tmp_path, files(entry(), entry(OTHER, "two", "bob"))) as running:
        with running.client(additional_headers=key(KEY)) as ann:
            running.write("keys.yaml", "keys:\n" + entry(OTHER, "two", "bob"))
            for _ in range(5):
                with contextlib.suppress(InvalidStatus), running.client(additional_headers=key(visitor)):
                    pass
            assert ann.closed() == (4501, "credential revoked")


def test_a_key_that_is_given_to_another_subject_ends_its_connections(tmp_path):
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        running.write("keys.yaml", "keys:\n" + entry(subject="eve"))
        assert ann.closed() == (4501, "credential revoked")


def test_a_moment_of_half_a_file_ends_nothing(tmp_path):
    """Editors truncate and write: what is short for a moment is looked at twice."""
    text = "keys:\n" + entry()
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        for _ in range(3):
            running.write("keys.yaml", "")
            assert refused(running, additional_headers=key(KEY)) == 503
            running.write("keys.yaml", text)
            assert who(running, additional_headers=key(KEY))["subject"] == "ann"
        assert ann.ask("websocket.who")["eventtype"] == "reply"


def test_a_key_that_expires(tmp_path):
    """Before the handshake it is 401, on the live socket 4501 (P4.3)."""
    past, soon = time.time() - 1, time.time() + 1.5
    text = entry(more=f"expires: {past}"), entry(OTHER, "two", "bob", f"expires: {soon}")
    with served(tmp_path, files(*text)) as running:
        assert refused(running, additional_headers=key(KEY)) == 401
        with running.client(additional_headers=key(OTHER)) as client:
            assert client.ask("websocket.who")["eventtype"] == "reply"
            assert client.closed() == (4501, "token expired")


def test_keys_and_tokens_side_by_side(tmp_path):
    """What is plainly a token is decided by `jwt`; anything else is looked up."""
    authn = "{api_keys: {file: keys.yaml}, jwt: {secret: '${JWT_SECRET}'}}"
    with served(tmp_path, files(entry(), authn=authn)) as running:
        assert who(running, additional_headers=bearer(KEY))["subject"] == "ann"
        assert who(running, additional_headers=bearer(token("bob")))["subject"] == "bob"
        assert refused(running, additional_headers=key(token("bob"))) == 401
        assert refused(running, additional_headers=bearer(token(lasts=-60))) == 401


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]\n", "expected `keys:`"),
        ("keys: 7\n", "expected `keys:`"),
        ("keys: []\nkey: []\n", "expected `keys:`"),
        ("keys: [x]\n", "keys.yaml:1: this key is wrong"),
        ("keys:\n" + entry(more="scope: [a]"), "unknown key `scope`; did you mean `scopes`?"),
        ("keys:\n" + entry(more="scopes: a"), "`scopes` must be a list"),
        ("keys:\n" + entry(more="expires: soon"), "`expires` must be a date"),
        ("keys:\n" + entry(more="expires: true"), "`expires` must be a date"),
        ("keys:\n" + entry(more="expire: 2020-01-01"), "unknown key `expire`"),
        ("keys:\n" + entry(subject="''"), "`subject` must be"),
        ("keys:\n" + entry(subject="7"), "`subject` must be"),
        ("keys:\n" + entry() + entry(OTHER), "is there already"),
        ("keys:\n" + entry() + entry(id="two"), "is there already"),
        ("keys:\n  - {id: a, subject: b, hash: 'sha256:00'}\n", "`hash` must be"),
        (f"keys:\n  - {{id: a, subject: b, hash: '{KEY}'}}\n", "`hash` must be"),
        ("keys:\n  - {id: a, subject: b}\n", "`hash` must be"),
        ("keys: !!python/object:os.system x\n", "keys.yaml:1"),
        ("keys: []\nkeys: []\n", "keys.yaml:2"),
        ("keys: [\n", "keys.yaml:"),
    ],
)
def test_a_wrong_file_stops_the_start(tmp_path, text, words):
    """Nothing that was meant is left out in silence; the message never shows what stands there."""
    path = write(tmp_path, "keys.yaml", text)
    with pytest.raises(GrantFileError) as error:
        read_keys(path)
    assert words in str(error.value)
    assert KEY not in str(error.value)
    with pytest.raises(ServeError, match="API keys"):
        with served(tmp_path, {**source("{api_keys: {file: keys.yaml}}")}):
            pass


def test_only_an_empty_list_has_no_keys(tmp_path):
    """It ends the connections; a file that says nothing may be what a full disk left, and is an error."""
    assert read_keys(write(tmp_path, "other.yaml", "# none\nkeys: []\n")) == ()
    for text in ("", "# none\n", "keys:\n", "{}\n"):
        with pytest.raises(GrantFileError, match=r"`keys: \[\]`"):
            read_keys(write(tmp_path, "other.yaml", text))
    with served(tmp_path, files(entry())) as running, running.client(additional_headers=key(KEY)) as ann:
        running.write("keys.yaml", "keys: []\n")
        assert refused(running, additional_headers=key(KEY)) == 401
        assert ann.closed() == (4501, "credential revoked")
