"""Plain text: paragraphs are what stands between empty lines."""

from __future__ import annotations

import re
from typing import Final

from gsws.ai.retrieval.readers.blocks import Block, Content

__all__ = ["read_text"]

_UNDERLINE: Final = re.compile(r"([=\-~^\"#*+])\1{2,}\s*")
"""What reStructuredText and many README files draw under a heading."""


def read_text(text: str) -> Content:
    """Paragraphs, and headings where a line is underlined in its whole length."""
    content = Content()
    levels: list[str] = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        lines = [line.rstrip() for line in paragraph.strip("\n").split("\n")]
        at = 0
        while (heading := _heading(lines[at : at + 2])) is not None:
            mark = lines[at + 1][0]
            if mark not in levels:
                levels.append(mark)
            level = min(levels.index(mark) + 1, 6)
            content.title = content.title or heading
            content.blocks.append(Block("heading", heading, level))
            at += 2
        body = "\n".join(lines[at:]).strip("\n")
        if body.strip():
            content.blocks.append(Block("text", body))
    return content


def _heading(lines: list[str]) -> str | None:
    if len(lines) < 2 or not 0 < len(lines[0].strip()) <= 120 or lines[0][:1].isspace():
        return None
    under = lines[1]
    return lines[0].strip() if _UNDERLINE.fullmatch(under) and len(under) >= len(lines[0]) - 2 else None
