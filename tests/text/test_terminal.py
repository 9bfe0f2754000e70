"""Display widths, and text that is safe for a terminal."""

from __future__ import annotations

import pytest

from gsws.text.terminal import cell_width, expand, visible


@pytest.mark.parametrize(
    ("character", "cells"), [("a", 1), ("日", 2), ("😀", 2), ("\u0301", 0), ("é", 1), ("\u200d", 0)]
)
def test_cells_of_a_character(character, cells):
    assert cell_width(character) == cells


def test_tabs_reach_the_next_stop():
    assert expand("\tx\ty") == ("    x   y", [0, 4, 5, 8, 9])
    assert expand("ab") == ("ab", [0, 1, 2])


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\x07", "\x7f", "\x9b31m", "\r", "\n", "\u202e", "\u2028"])
def test_nothing_acts_on_the_terminal(hostile):
    shown = visible(f"a{hostile}b")
    assert shown.startswith("a")
    assert shown.endswith("b")
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028" for c in shown)
