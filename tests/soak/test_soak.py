"""The soak in short, with a seed that is printed; `make soak` is the long one."""

from __future__ import annotations

import contextlib
import random

import pytest

from gsws.testing import ConnectionClosed, FaultProxy, serve
from tests.soak.project import story, write_project
from tests.soak.soak import soak


def test_random_faults_change_no_transcript(tmp_path):
    """P8.3, P8.4, P8.8: no duplicate, no gap, and lost exactly what was left beyond the window; so for who follows."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown if it fails; repeat with: python -m tests.soak --seed N --faults 300
    outcome = soak(tmp_path, faults=300, followers=20, seed=seed)

    assert sum(outcome.faults.values()) >= 300
    assert outcome.report.streams > 20
    assert outcome.report.resumes > 20
    assert outcome.report.watched > 5


def test_a_server_that_restarts_holds_nothing(tmp_path):
    """P8.4: sessions are in memory here, so after a restart every stream is lost, whole, and says so."""
    write_project(tmp_path)
    with FaultProxy(1) as proxy:
        with serve(tmp_path) as project:
            proxy.target_port = project.port
            client = project.client(session=True, address=proxy.address)
            streams = [client.stream("websocket.tell", {"name": story(n), "run": "r"}) for n in range(5)]
            next(streams[0])
            proxy.cut()
        with serve(tmp_path) as project:
            proxy.target_port = project.port
            assert client.reconnect()["streams"] == {}
            answers = [stream.answer() for stream in streams if not stream.ended]
            assert answers
            assert {answer.error for answer in answers} == {"resume_lost"}
            client.close()


@pytest.mark.parametrize("byte", [0, 100, 200, 400, 500, 501, 502, 650, 733, 2000])
def test_a_cut_at_a_byte(tmp_path, byte):
    """The same stream, cut at one byte, handshake and hello included, is the same stream."""
    write_project(tmp_path)
    with serve(tmp_path) as project, FaultProxy(project.port) as proxy:
        whole = project.client().stream("websocket.tell", {"name": story(1), "run": "w"}, id="s").answer().frames
        proxy.cut_after(byte)
        client = None
        for _ in range(2):
            # Cut before its first frame, a client has no session yet.
            with contextlib.suppress(ConnectionClosed, OSError):
                client = client or project.client(session=True, address=proxy.address)
        assert client is not None
        stream = client.stream("websocket.tell", {"name": story(1), "run": "x"}, id="s")
        with contextlib.suppress(ConnectionClosed):
            stream.answer()
        if not stream.ended:
            client.reconnect()
        assert stream.answer().frames == whole
        assert [fault.kind for fault in proxy.struck] == ["cut"]
