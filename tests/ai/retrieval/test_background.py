"""Refreshing beside the searches: never twice at once, never without an end."""

from __future__ import annotations

import logging
import threading

import pytest

from gsws.ai.retrieval import background as background_module
from gsws.ai.retrieval.background import Background

WAIT = 20.0


def no_rest() -> bool:
    return False


def test_whoever_asks_gets_a_run_that_began_afterwards():
    runs: list[int] = []
    background = Background(lambda: runs.append(1) or 0.0, no_rest)
    assert background.ask(WAIT)
    assert background.ask(WAIT)
    assert len(runs) == 2


def test_a_result_that_is_good_for_a_while_is_not_made_again():
    runs: list[int] = []
    background = Background(lambda: runs.append(1) or 3600.0, no_rest)
    assert background.ask(WAIT)
    assert background.ask(WAIT)
    assert len(runs) == 1
    assert background.ask(WAIT, is_overdue=True)
    assert len(runs) == 2


def test_many_who_ask_at_once_share_one_more_run():
    """While a run is under way, ten more questions cost one run."""
    runs: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def work() -> float:
        runs.append(1)
        begun.set()
        assert go_on.wait(WAIT)
        return 0.0

    background = Background(work, no_rest)
    asking = [threading.Thread(target=background.ask, args=(WAIT,)) for _ in range(10)]
    asking[0].start()
    assert begun.wait(WAIT)
    for thread in asking[1:]:
        thread.start()
    while background._wanted < 2:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in asking:
        thread.join(WAIT)
        assert not thread.is_alive()
    assert len(runs) in (2, 3)


def test_a_long_run_holds_nobody_up_beyond_the_wait():
    go_on = threading.Event()
    background = Background(lambda: go_on.wait(WAIT) and 0.0, no_rest)
    assert not background.ask(0.01)
    assert not background.ask(0.0)
    go_on.set()
    assert background.stop(WAIT)


def test_a_failure_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture):
    outcomes = [OSError("disk full"), None]

    def work() -> float:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return 0.0

    background = Background(work, no_rest)
    with caplog.at_level(logging.ERROR):
        assert background.ask(WAIT)
    assert "disk full" in caplog.text
    assert background.ask(WAIT)
    assert outcomes == []


def test_the_rest_is_done_in_steps_until_there_is_none():
    steps = [True, True, False]
    finished = threading.Event()

    def rest() -> bool:
        more = steps.pop(0)
        if not more:
            finished.set()
        return more

    background = Background(lambda: 0.0, rest)
    assert background.ask(WAIT)
    assert finished.wait(WAIT)
    assert background.stop(WAIT)
    assert steps == []


def test_the_rest_comes_to_its_turn_however_many_ask(monkeypatch: pytest.MonkeyPatch):
    """Questions without a pause do not keep vectors from ever being made."""
    monkeypatch.setattr(background_module, "_STARVED", 0.01)
    had_its_turn = threading.Event()
    background = Background(lambda: background.ask(0.0) or 0.0, lambda: had_its_turn.set() or True)
    background.ask(0.0)
    assert had_its_turn.wait(WAIT)
    assert background.stop(WAIT)


def test_nothing_is_begun_after_the_stop():
    runs: list[int] = []
    background = Background(lambda: runs.append(1) or 0.0, no_rest)
    assert background.stop(WAIT)
    assert not background.ask(WAIT)
    assert runs == []


def test_a_stop_wakes_whoever_waits():
    begun, go_on = threading.Event(), threading.Event()

    def work() -> float:
        begun.set()
        assert go_on.wait(WAIT)
        return 0.0

    background = Background(work, no_rest)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(background.ask(WAIT)))
    waiting.start()
    assert begun.wait(WAIT)
    assert not background.stop(0.0)
    waiting.join(WAIT)
    assert answers == [False]
    go_on.set()
    assert background.stop(WAIT)
