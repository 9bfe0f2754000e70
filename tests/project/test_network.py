"""Sources that listen: exposure, ports, credentials, TLS."""

from __future__ import annotations

import os
import subprocess

import pytest

from gsws.diagnostics import Severity
from gsws.project.network import dialled


def found(tree, *lines):
    project = tree.load({"eventsources/websocket.yaml": "\n".join(["type: websocket", *lines]) + "\n"})
    return [(finding.code, finding.severity is Severity.ERROR) for finding in project.findings]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["host: 127.0.0.1"], []),
        (["host: 127.1.2.3"], []),
        (["host: localhost"], []),
        (["host: '::1'"], []),
        (["host: 0.0.0.0"], [("GS603", False)]),
        (["host: '::'"], [("GS603", False)]),
        (["host: example.com"], [("GS603", False)]),
        (["host: 127.0.0.1.example.com"], [("GS603", False)]),
        (["host: 0.0.0.0", "authn: {fn: chat}"], []),
        (["origins: ['*']"], [("GS603", False)]),
        (["origins: ['*']", "authn: {fn: chat}"], [("GS603", False)]),
        (["origins: ['*']", "authn: {fn: chat, cookie: sid}"], [("GS607", True)]),
        (["origins: ['https://a.example']", "authn: {fn: chat, cookie: sid}"], []),
        (["authn: {}"], [("GS304", True)]),
        (["authn: {anonymous: true}"], [("GS304", True)]),
        (["authn: {jwt: {}}"], [("GS304", True)]),
        (["authn: {jwt: {secret: '${JWT_SECRET}'}}"], []),
        (["authn: {jwt: {secret: s}}"], [("GS307", True)]),
        (["authn: {jwt: {secret: '${JWT_SECRET}', algorithms: [HS512]}}"], [("GS307", True)]),
        (["authn: {jwt: {secret: s, algorithms: [1]}}"], [("GS307", True)]),
        (["authn: {jwt: {public_key: nowhere.pem}}"], [("GS003", True)]),
        (["authn: {jwt: {secret: s, jwks_url: 'https://x'}}"], [("GS310", True)]),
        (["authn: {jwt: {secret: s, algorithms: [RS256]}}"], [("GS310", True)]),
        (["authn: {jwt: {jwks_url: 'https://x', algorithms: [HS256]}}"], [("GS310", True)]),
        (["authn: {jwt: {secret: s, algorithms: [none]}}"], [("GS307", True)]),
        (["authn: {api_keys: {}}"], [("GS304", True)]),
        (["authn: {api_keys: {file: none.yaml}}"], [("GS003", True)]),
        (["tls: {cert: a.pem}"], [("GS304", True), ("GS604", True)]),
        (["limits: {rate: {messages: 5, by: subject}}"], [("GS309", False)]),
        (["limits: {rate: {messages: 5, by: subject}}", "authn: {fn: chat}"], []),
        (["limits: {rate: {messages: 5, by: user}}"], [("GS307", True)]),
        (["limits: {connect_rate: {connections: 5, per: 1s, burst: 10}}"], []),
        (["limits: {connect_rate: {messages: 5}}"], [("GS305", True)]),
        (["limits: {message_bytes: 0}"], [("GS307", True)]),
        (["limits: {send_buffer: 0}"], [("GS307", True)]),
        (["limits: {handshake_timeout: 0}"], [("GS307", True)]),
        (["limits: {in_flight: 0, connections: 0, rate: {messages: 0}}"], []),
    ],
)
def test_keys_that_say_something_together(tree, lines, expected):
    tree.environ = {"JWT_SECRET": "0123456789abcdef0123456789abcdef"}
    assert sorted(found(tree, *lines)) == expected


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("port: 8000", "port: 8000", True),
        ("", "", True),
        ("port: 8000", "port: 8001", False),
        ("port: 0", "port: 0", False),
        ("host: 127.0.0.1", "host: 127.0.0.2", False),
        ("host: localhost", "host: 127.0.0.1", True),
        ("host: 0.0.0.0\nauthn: {fn: chat}", "", True),
    ],
)
def test_two_sources_on_one_port(tree, first, second, conflict):
    codes = tree.codes(
        {
            "eventsources/websocket.yaml": f"type: websocket\n{first}\n",
            "eventsources/second.yaml": f"type: websocket\n{second}\n",
        }
    )

    assert codes == (["GS602"] if conflict else [])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A good pair, another key, an expired certificate and an encrypted key; skipped from nothing: made by openssl."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    openssl(*request, "-keyout", "key.pem", "-out", "cert.pem", "-days", "30")
    openssl(*request, "-keyout", "other.pem", "-out", "other-cert.pem", "-days", "30")
    openssl("ec", "-in", "key.pem", "-aes128", "-passout", "pass:x", "-out", "locked.pem")
    return folder


def test_tls_files_are_read_when_the_project_loads(tree, certificates):
    def codes(cert, key):
        return found(tree, f"tls: {{cert: '{certificates / cert}', key: '{certificates / key}'}}")

    (certificates / "junk.pem").write_text("junk\n")
    assert codes("cert.pem", "key.pem") == []
    assert codes("cert.pem", "other.pem") == [("GS604", True)]
    assert codes("cert.pem", "none.pem") == [("GS604", True)]
    assert codes("junk.pem", "key.pem") == [("GS604", True)]
    assert codes("cert.pem", "locked.pem") == [("GS604", True)]


def test_an_expired_certificate_is_refused(tree, certificates, monkeypatch):
    import time

    later = time.time() + 40 * 86400
    monkeypatch.setattr(time, "time", lambda: later)

    assert found(tree, f"tls: {{cert: '{certificates}/cert.pem', key: '{certificates}/key.pem'}}") == [("GS604", True)]


def test_a_pipe_as_a_certificate_is_not_opened(tree):
    os.mkfifo(tree.root / "pipe.pem")

    assert found(tree, "tls: {cert: pipe.pem, key: pipe.pem}") == [("GS604", True), ("GS604", True)]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("*", "127.0.0.1"),
        ("::", "[::1]"),
        ("[::]", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]"),
        ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ("127.0.0.2", "127.0.0.2"),
        ("localhost", "localhost"),
        ("app.example", "app.example"),
    ],
)
def test_a_host_is_shown_as_it_can_be_dialled(host, shown):
    assert dialled(host) == shown
