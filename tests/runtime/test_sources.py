"""Event sources side by side, and what they leave behind."""

from __future__ import annotations

from tests.runtime.support import served
from tests.runtime.test_requests import FILES


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


def test_tasks_that_handlers_leave_running_end_with_the_service(tmp_path):
    with served(tmp_path, FILES) as running:
        with running.client() as client:
            assert client.ask("websocket.spawns")["eventtype"] == "reply"
    assert running.log("cancelling tasks that handlers left running")[0]["tasks"] == 1
