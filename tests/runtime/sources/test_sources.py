"""Event sources side by side, and what they leave behind."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.runtime.requests.test_lifecycle import FILES
from tests.runtime.support import served


def test_two_sources_share_nothing(tmp_path):
    """An event of one cannot be called through the other."""
    files = {
        "eventsources/other.yaml": "type: websocket\nport: 0\n",
        "events/both.yaml": "websocket & other.both: {fn: f.f, payload: {}}\nother.only: {fn: f.f, payload: {}}\n",
        "functions/f.py": "async def f(payload): return payload\n",
    }
    with served(tmp_path, files) as running:
        with running.client("websocket") as one, running.client("other") as two:
            assert one.ask("websocket.both", 1)["eventtype"] == "reply"
            assert two.ask("other.both", 1)["eventtype"] == "reply"
            assert two.ask("other.only", 1)["eventtype"] == "reply"
            assert one.ask("other.only", 1)["payload"]["error"] == "unknown_event"
            assert two.ask("websocket.both", 1)["payload"]["error"] == "unknown_event"


def test_a_public_folder_may_be_made_while_the_service_runs(tmp_path):
    """A newcomer saves the first page beside the running server, as the tutorial says."""
    with served(tmp_path, FILES) as running:
        url = f"http://127.0.0.1:{running.ports['websocket']}/"
        with pytest.raises(HTTPError, match="404"):
            urlopen(url, timeout=5)
        running.write("public/index.html", "<h1>hello</h1>")
        with urlopen(url, timeout=5) as response:
            assert response.read() == b"<h1>hello</h1>"


def test_tasks_that_handlers_leave_running_end_with_the_service(tmp_path):
    with served(tmp_path, {**FILES, "gsws.yaml": "drain_timeout: 200ms\n"}) as running:
        with running.client() as client:
            assert client.ask("websocket.spawns")["eventtype"] == "reply"
    entry = running.log("cancelling tasks that handlers left running")[0]
    assert (entry["tasks"], entry["names"]) == (1, ["spawns.<locals>.forever"])
