"""`gsws keys`: shown once, kept as a hash, comments kept, readable by the owner alone (P4.3)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.runtime.identity.apikeys import hash_of, read_keys

HASH = "sha256:" + "ab" * 32


def gsws(folder, *arguments):
    command = [sys.executable, "-m", "gsws", "keys", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_key_is_made_shown_and_revoked(tmp_path):
    made = gsws(tmp_path, "add", "--subject", "ann", "--scope", "chat:write", "--scope", "a b", "--file", "keys.yaml")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert len(key) >= 43
    text = (tmp_path / "keys.yaml").read_text()
    assert key not in text + made.stderr
    assert hashlib.sha256(key.encode()).hexdigest() in text
    assert (tmp_path / "keys.yaml").stat().st_mode & 0o777 == 0o600
    [entry] = read_keys(tmp_path / "keys.yaml")
    assert (entry.subject, entry.scopes) == ("ann", ("chat:write", "a", "b"))

    listed = gsws(tmp_path, "list", "--file", "keys.yaml")
    assert listed.stdout.splitlines()[1].split("\t") == [entry.id, "ann", "chat:write a b", ""]
    assert gsws(tmp_path, "revoke", entry.id, "--file", "keys.yaml").returncode == 0
    assert read_keys(tmp_path / "keys.yaml") == ()
    again = gsws(tmp_path, "revoke", entry.id, "--file", "keys.yaml")
    assert again.returncode == 1
    assert "no key" in again.stderr


def test_comments_and_what_others_wrote_stay(tmp_path):
    before = f"# ours\nkeys:\n  # the one of bob\n  - id: bob   # bob\n    subject: bob\n    hash: '{HASH}'\n"
    file = tmp_path / "keys.yaml"
    file.write_text(before)
    file.chmod(0o644)
    assert gsws(tmp_path, "add", "--subject", "ann", "--id", "7", "--file", "keys.yaml").returncode == 0
    assert file.read_text().startswith(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [key.id for key in read_keys(file)] == ["bob", "7"]
    assert os.listdir(tmp_path) == ["keys.yaml"]


def test_the_projects_file_is_the_default(tmp_path):
    (tmp_path / "gsws.yaml").write_text("name: app\n")
    (tmp_path / "eventsources").mkdir()
    (tmp_path / "eventsources" / "websocket.yaml").write_text(
        "type: websocket\nauthn: {api_keys: {file: secret/keys.yaml}}\n"
    )
    (tmp_path / "secret").mkdir()
    made = gsws(tmp_path / "eventsources", "add", "--subject", "ann", "--expires", "2100-01-31", "--json")
    told = json.loads(made.stdout)
    assert told["ok"] is True
    assert told["expires"] == "2100-01-31T00:00:00Z"
    [entry] = read_keys(tmp_path / "secret" / "keys.yaml")
    assert entry.digest.hex() == hash_of(told["key"])[7:]
    listed = json.loads(gsws(tmp_path, "list", "--json").stdout)
    assert [(one["id"], one["subject"], one["ok"]) for one in listed["keys"]] == [(told["id"], "ann", True)]
    assert "hash" not in listed["keys"][0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add", "--file", "k"], 2, "--subject"),
        (["add", "--subject", "", "--file", "k"], 2, "subject"),
        (["add", "--subject", "a\nb", "--file", "k"], 2, "subject"),
        (["add", "--subject", "a", "--scope", 'x"y', "--file", "k"], 2, "no scope"),
        (["add", "--subject", "a", "--expires", "soon", "--file", "k"], 2, "no time"),
        (["add", "--subject", "a", "--expires", "2020-01-01", "--file", "k"], 2, "over already"),
        (["add", "--subject", "a", "--id", "a b", "--file", "k"], 2, "no id"),
        (["add", "--subject", "a", "--file", "."], 2, "directory"),
        (["add", "--subject", "a", "--file", "nowhere/k"], 1, "cannot write"),
        (["add", "--subject", "a"], 1, "no gsws project"),
        (["list", "--file", "k"], 0, "no keys yet"),
        (["revoke", "x", "--file", "k"], 1, "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(tmp_path, arguments, code, words):
    done = gsws(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_left_alone(tmp_path):
    (tmp_path / "keys.yaml").write_text("keys: [\n")
    done = gsws(tmp_path, "add", "--subject", "ann", "--file", "keys.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert (tmp_path / "keys.yaml").read_text() == "keys: [\n"


def test_two_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: gsws(tmp_path, "add", "-s", f"s{n}", "--file", "keys.yaml"), range(6)))
    assert [one.returncode for one in done] == [0] * 6
    assert {key.subject for key in read_keys(tmp_path / "keys.yaml")} == {f"s{n}" for n in range(6)}


@pytest.mark.parametrize(
    "text",
    [
        f"# ours\nkeys:\n  # the one of bob\n  - id: bob   # bob\n    subject: bob\n    hash: '{HASH}'\n# end\n",
        f"keys: [{{id: bob, subject: bob, hash: '{HASH}'}}]  # bob\n",
        f"keys:\n- id: bob\n  subject: bob\n  hash: '{HASH}'\n",
    ],
)
def test_revoking_the_last_key_writes_an_empty_list(tmp_path, text):
    """Anything less would be a damaged file, and hold the connections of the key for a minute."""
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    assert gsws(tmp_path, "revoke", "bob", "--file", "keys.yaml").returncode == 0
    assert "keys: []" in file.read_text().splitlines()
    assert read_keys(file) == ()
    assert gsws(tmp_path, "add", "--subject", "ann", "--file", "keys.yaml").returncode == 0
    assert [key.subject for key in read_keys(file)] == ["ann"]


def test_the_first_key_of_a_project(tmp_path):
    """In the order of the page on clients: list, write the source, make the key, or the key first."""
    (tmp_path / "gsws.yaml").write_text("name: app\n")
    (tmp_path / "eventsources").mkdir()
    source = tmp_path / "eventsources" / "websocket.yaml"
    source.write_text("type: websocket\n")
    listed = gsws(tmp_path, "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "no keys yet" in listed.stderr
    assert json.loads(gsws(tmp_path, "list", "--json").stdout)["keys"] == []
    for more in ([], ["--file", "other.yaml"]):
        name = more[1] if more else "keys.yaml"
        made = gsws(tmp_path, "add", "--subject", "ann", *more)
        assert made.returncode == 0
        assert f"write `authn: {{api_keys: {{file: {name}}}}}` into `eventsources/websocket.yaml`" in made.stderr
    (tmp_path / "keys.yaml").unlink()
    source.write_text("type: websocket\nauthn: {api_keys: {file: keys.yaml}}\n")
    helps = [one.help or "" for one in load_project(tmp_path, plugins=facts()).findings if one.code == "GS003"]
    assert helps == ["`gsws keys add --subject NAME` makes it; paths begin at the project's root"]
    assert "no source reads" not in gsws(tmp_path, "add", "--subject", "ann").stderr
