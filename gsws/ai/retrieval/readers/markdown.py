"""
Markdown by markdown-it-py: its blocks as they are written, so that a quotation is what the author wrote.

Inline marks are not parsed. What a reader of the rendered page does not see, HTML comments and front matter, is left
out: nobody checks it, and it is where instructions to a model are hidden.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from gsws.ai.retrieval.readers.blocks import Block, BlockKind, Content

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["read_markdown"]

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE: Final = re.compile(r"""^title:[ \t]*["']?(.+?)["']?[ \t]*$""", re.MULTILINE)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,2000}(?:\s[^()]{0,300})?\)")
_MARKS: Final = re.compile(r"\*{1,3}|(?<!\w)_{1,2}|_{1,2}(?!\w)|<[^<>]{1,200}>")
_OWN_ANCHOR: Final = re.compile(r"\s*\{#([\w.:-]{1,100})[^{}]{0,100}\}\s*\Z")
_KINDS: Final[dict[str, BlockKind]] = {"fence": "code", "code_block": "code", "table_open": "table"}


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    return parser


def read_markdown(text: str) -> Content:
    """Headings, code fences, tables and everything else as blocks; the title is the front matter's or the first H1."""
    content = Content()
    front = _FRONT.match(text)
    if front is not None:
        found = _TITLE.search(front[1])
        content.title = found[1].strip() if found else None
        text = text[front.end() :]
    lines = text.split("\n")
    tokens = _parser().parse(text)
    for index, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            _heading(content, tokens[index + 1].content, int(token.tag[1]))
            continue
        written = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        kind = _KINDS.get(token.type, "text")
        if kind != "code" and "<!--" in written:
            written = _COMMENT.sub("", written).strip("\n")
        if written.strip() and token.type != "hr":
            content.blocks.append(Block(kind, written))
    return content


def _heading(content: Content, written: str, level: int) -> None:
    own = _OWN_ANCHOR.search(written)
    anchor = own[1] if own else ""
    plain = _COMMENT.sub("", written[: own.start()] if own else written)
    # Every second part stands between backticks, where stars are no marks.
    parts = _LINK.sub(r"\1", plain).split("`")
    plain = " ".join("".join(part if at % 2 else _MARKS.sub("", part) for at, part in enumerate(parts)).split())
    if not plain:
        return
    if level == 1 and content.title is None:
        content.title = plain
    content.blocks.append(Block("heading", plain, level, anchor))
