"""What `gsws call` says of the frames beside the text."""

from __future__ import annotations

import pytest

from gsws.cli.call_frames import call_frame


@pytest.mark.parametrize(
    ("eventtype", "payload", "line"),
    [
        (
            "tool.call",
            {"id": "1", "name": "search", "args": {"query": "ä", "k": 3}},
            'tool.call search(query="ä", k=3)',
        ),
        ("tool.result", {"id": "1", "name": "search", "content": "x" * 999, "ms": 2.5}, "tool.result search 2.5 ms"),
        ("tool.error", {"id": "1", "name": "search", "error": "e", "message": "m"}, "tool.error search: m"),
        (
            "sources",
            {"sources": [{"id": 1, "source": "a.md"}, {"id": 2, "source": "b.md"}]},
            "sources [1] a.md, [2] b.md",
        ),
        ("usage", {"input_tokens": 3, "output_tokens": 4, "model": "m"}, "usage 3 + 4 tokens, m"),
        (
            "usage",
            {"input_tokens": 3, "output_tokens": 4, "model": "m", "cost": {"amount": 0.001, "currency": "USD"}},
            "usage 3 + 4 tokens, m, 0.001000 USD",
        ),
        ("interrupt", {"id": "i", "value": "Sure?"}, 'interrupt i "Sure?"'),
        ("progress", {"done": 3}, 'progress {"done": 3}'),
        ("usage", {"cpu": 3}, 'usage {"cpu": 3}'),  # a user's own frame of that name
        ("tool.call", {"name": "x", "args": None}, 'tool.call {"name": "x", "args": null}'),
    ],
)
def test_a_frame_is_one_line(eventtype, payload, line):
    assert call_frame(eventtype, payload, whole=False) == line


def test_a_long_line_is_cut_for_a_person_only():
    payload = {"text": "x" * 1000}
    assert len(call_frame("custom", payload, whole=False)) < 450
    assert call_frame("custom", payload, whole=True).endswith('x"}')
