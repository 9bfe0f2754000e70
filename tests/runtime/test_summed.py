"""What strangers can cause as often as they like is a few lines and a sum (T14)."""

from __future__ import annotations

import contextlib

import pytest
from websockets.exceptions import InvalidStatus

from gsws.runtime.counters import Summed
from tests.runtime.identity.support import bearer, source, token
from tests.runtime.support import served


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, event, **facts):
        self.lines.append((event, facts))

    warning = error = info


class Wheel:
    """Due when the test says so."""

    def __init__(self):
        self.due = []

    def schedule(self, seconds, call):
        self.due.append(call)
        return self

    def cancel(self):
        self.due.clear()


def test_three_lines_of_a_reason_and_a_sum():
    logger, wheel = Logger(), Wheel()
    summed = Summed(logger, wheel)
    for number in range(1000):
        summed.tell("info", "refused", "one", peer=number)
        summed.tell("info", "refused", f"another {number}")
    assert [facts["peer"] for _, facts in logger.lines if facts["reason"] == "one"] == [0, 1, 2]
    assert len(logger.lines) <= 3 * 33
    assert len(wheel.due) == 1
    wheel.due.pop()()
    sums = {facts["reason"]: facts["count"] for event, facts in logger.lines if event == "refused, more of the same"}
    assert sums["one"] == 997
    assert sums["other reasons"] > 900
    summed.tell("info", "refused", "one")
    assert logger.lines[-1] == ("refused", {"reason": "one"})


@pytest.mark.parametrize("flood", ["tokens", "origins", "renewals"])
def test_a_flood_of_refusals_fills_no_log(tmp_path, flood):
    with served(tmp_path, source("{jwt: {secret: '${JWT_SECRET}'}}", "origins: []\n")) as running:
        with running.client(additional_headers=bearer(token())) as client:
            for _ in range(60):
                if flood == "renewals":
                    client.ask("gsws.auth", {"token": "bad"})
                    continue
                more = (
                    {"additional_headers": bearer("bad")} if flood == "tokens" else {"origin": "https://evil.example"}
                )
                with contextlib.suppress(InvalidStatus), running.client(**more):
                    raise AssertionError("not refused")
    lines = [line for line in running.logs if line["event"].startswith("refused a")]
    assert len(lines) == 4
    assert lines[-1]["count"] == 57
