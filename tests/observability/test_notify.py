"""systemd is told, where there is one."""

from __future__ import annotations

import socket

import pytest

from gsws.observability.notify import notify


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_states_arrive(tmp_path, monkeypatch, kind):
    path = str(tmp_path / "notify") if kind == "path" else "@gsws-test-notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(2)
        receiver.bind(path if kind == "path" else "\0" + path[1:])
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        notify("READY=1")

        assert receiver.recv(100) == b"READY=1"


@pytest.mark.parametrize("value", ["", "relative", "/nowhere/at/all", "vsock:1:2"])
def test_nobody_to_tell_is_no_error(monkeypatch, value):
    monkeypatch.setenv("NOTIFY_SOCKET", value)
    notify("READY=1")
