"""A service without `authn` on an open address says so loudly; one with it has no reason to (P4.2)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.runtime.identity.support import ECHO
from tests.runtime.support import write

AUTHN = "authn: {fn: auth.check}\n"


@pytest.mark.parametrize(
    ("written", "arguments", "is_warned"),
    [
        ("host: 0.0.0.0\n", [], True),
        ("", ["--host", "0.0.0.0"], True),
        ("", [], False),
        ("host: 0.0.0.0\n" + AUTHN, [], False),
        (AUTHN, ["--host", "0.0.0.0"], False),
    ],
    ids=["file", "option", "loopback", "file with authn", "option with authn"],
)
def test_development_defaults_on_the_network_are_told(tmp_path, written, arguments, is_warned):
    for path, text in ECHO.items():
        write(tmp_path, path, text)
    write(tmp_path, "eventsources/websocket.yaml", f"type: websocket\n{written}")
    write(tmp_path, "functions/auth.py", "def check(handshake):\n    return None\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", "serve", "--no-reload", "--port", str(port), *arguments],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.05)
    finally:
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=20)[0]
    assert ("has no `authn`" in told or "there is no `authn`" in told) is is_warned, told
