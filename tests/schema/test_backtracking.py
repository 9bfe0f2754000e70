"""Which regular expressions go back and forth without bound, and what happens on a Python with another parser."""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType

import pytest

from gsws.schema import backtracking


@pytest.mark.parametrize("pattern", ["(a+)+$", r"(\d+|\w)*x", "(a|a)*", r"(\D+)*x", r"(\s|\S)*\S*(\S+)+"])
def test_what_takes_forever(pattern):
    assert backtracking.backtracks(pattern) is not None


@pytest.mark.parametrize("pattern", ["^a+$", r"(\d|\D)*", "(a+b)+", r"(\s|\S)+x", "[", "(ab|cd)*"])
def test_what_does_not(pattern):
    assert backtracking.backtracks(pattern) is None


@pytest.mark.parametrize("missing", ["re._constants", "re._parser"])
def test_without_the_parser_nothing_is_judged(monkeypatch, missing):
    """Its modules are private to Python: another version may not have them."""
    monkeypatch.setitem(sys.modules, missing, None)
    try:
        assert importlib.reload(backtracking).backtracks("(a+)+$") is None
    finally:
        monkeypatch.undo()
        importlib.reload(backtracking)
    assert backtracking.backtracks("(a+)+$") is not None


def test_without_a_name_of_the_parser_nothing_is_judged(monkeypatch):
    bare = ModuleType("re._constants")
    bare.MAX_REPEAT = re._constants.MAX_REPEAT  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "re._constants", bare)
    try:
        assert importlib.reload(backtracking).backtracks("(a+)+$") is None
    finally:
        monkeypatch.undo()
        importlib.reload(backtracking)
