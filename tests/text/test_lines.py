"""Lines and columns."""

from __future__ import annotations

from gsws.text.lines import LineIndex, split_lines
from gsws.text.span import Span


def test_positions_and_offsets_are_inverse():
    text = "ab\r\ncd\rä😀\n\nlast"
    lines = LineIndex(text)
    for offset in (0, 1, 2, 4, 5, 7, 8, 10, 11, 15):
        line, column = lines.position(offset)
        assert lines.offset(line, column) == offset
    assert [lines.line(number) for number in range(7)] == ["", "ab", "cd", "ä😀", "", "last", ""]
    assert lines.span("p", 4, 6) == Span("p", 2, 1, 2, 3)
    assert lines.offset(99, 1) == len(text)


def test_only_real_line_breaks_divide_lines():
    assert split_lines("a\x0bb\x0cc\x85d\u2028e\r\nf\rg") == ["a\x0bb\x0cc\x85d\u2028e", "f", "g"]
