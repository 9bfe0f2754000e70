"""Processes that are spawned, not forked, can import the project's modules; so pools of them work in handlers."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from gsws.routing.modules import ModuleSet


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pool_runs_functions_of_the_project(tmp_path, method):
    (tmp_path / "functions").mkdir()
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper/words.py").write_text("FACTOR = 2\n")
    (tmp_path / "functions/work.py").write_text("from helper.words import FACTOR\ndef double(n): return n * FACTOR\n")
    modules = ModuleSet(tmp_path)
    modules.open()
    try:
        double = modules.load("work").double
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            assert pool.submit(double, 21).result(30) == 42
    finally:
        modules.close()
    assert str(tmp_path) not in sys.path


def test_here_nothing_but_the_project_s_code_becomes_importable(tmp_path):
    """`events/` is no package of anybody."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "events").mkdir()
    modules = ModuleSet(tmp_path)
    modules.open()
    try:
        with pytest.raises(ModuleNotFoundError):
            __import__("events")
    finally:
        modules.close()
