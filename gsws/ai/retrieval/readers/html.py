"""
HTML by Beautiful Soup: what a browser would show, as headings, paragraphs, lists, code and tables.

The parser is lxml's, which takes time in proportion to a page, a hostile one too.

Scripts, styles, comments and elements that are hidden by attribute or inline style are left out. The page is never
rendered and nothing that it names is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from gsws.ai.retrieval.readers.blocks import Block, Content, Unreadable

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["read_html"]

_UNSEEN: Final = frozenset(
    {"script", "style", "template", "noscript", "head", "svg", "iframe", "object", "canvas", "math", "select", "dialog"}
)
_AROUND: Final = frozenset({"nav", "footer", "aside"})
_BREAKING: Final = frozenset(
    {
        *("address", "article", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption"),
        *("figure", "footer", "form", "header", "hr", "html", "li", "main", "ol", "p", "section", "summary", "ul"),
        *("table", "td", "th", "tr"),
    }
)
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.IGNORECASE)
_MAX_DEPTH: Final = 500


def read_html(raw: bytes) -> Content:
    """
    The visible text of a page; the title is its ``<title>``, else its first H1.

    Raises:
        Unreadable: If Beautiful Soup is not installed, or elements are nested too deeply.
    """
    try:
        import lxml.etree  # noqa: F401  # what Beautiful Soup is told to use
        from bs4 import BeautifulSoup
    except ImportError:
        raise Unreadable('needs Beautiful Soup and lxml: pip install "gsws[ai]"') from None
    soup = BeautifulSoup(raw, "lxml")
    content = Content()
    if soup.title is not None:
        content.title = _line(soup.title.get_text(" ")) or None
    root = soup.find("main") or soup.body or soup
    _Walk(content).walk(root)
    return content


class _Walk:
    """Gathers blocks from a tree, without recursion."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.pending: list[str] = []

    def walk(self, root: Tag) -> None:
        """Visit the tree in document order."""
        stack: list[tuple[Iterator[Any], str]] = [(iter(root.children), "")]
        while stack:
            children, name = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                if name in _BREAKING:
                    self.flush()
                continue
            grandchildren = self.visit(child)
            if grandchildren is not None:
                if len(stack) >= _MAX_DEPTH:
                    raise Unreadable("nested too deeply")
                stack.append((grandchildren, child.name))
        self.flush()

    def visit(self, node: Any) -> Iterator[Any] | None:
        """Take in one node; give its children if they are to be visited too."""
        from bs4.element import NavigableString, PreformattedString

        if isinstance(node, NavigableString):
            if not isinstance(node, PreformattedString):  # comments, declarations
                self.pending.append(str(node))
            return None
        name = node.name
        if name in _UNSEEN or name in _AROUND or _is_hidden(node):
            return None
        if name in _BREAKING:
            self.flush()
        if re.fullmatch("h[1-6]", name):
            self.heading(node, int(name[1]))
        elif name == "pre":
            self.flush()
            code = node.get_text().strip("\n")
            if code.strip():
                self.content.blocks.append(Block("code", f"```\n{code}\n```"))
        elif name == "table" and node.find("table") is None:  # else a layout, whose cells are no data
            self.flush()
            self.table(node)
        elif name == "br":
            self.pending.append("\n")
        else:
            if name == "li":
                self.pending.append("- ")
            children: Iterator[Any] = iter(node.children)
            return children
        return None

    def heading(self, node: Tag, level: int) -> None:
        self.flush()
        text = _line(node.get_text(" "))
        parent = node.parent
        anchor = node.get("id") or (parent.get("id") if parent is not None and parent.name == "section" else None)
        if text:
            if level == 1 and self.content.title is None:
                self.content.title = text
            self.content.blocks.append(Block("heading", text, level, str(anchor or "")))

    def table(self, node: Tag) -> None:
        rows = [
            "| "
            + " | ".join(_line(cell.get_text(" ")).replace("|", "\\|") for cell in row.find_all(["th", "td"]))
            + " |"
            for row in node.find_all("tr")
            if not _is_hidden(row)
        ]
        rows = [row for row in rows if row.strip("| ")]
        if len(rows) > 1:
            columns = rows[0].replace("\\|", "").count("|") - 1
            rows.insert(1, "|" + "---|" * columns)
        if rows:
            self.content.blocks.append(Block("table", "\n".join(rows)))

    def flush(self) -> None:
        lines = (" ".join(line.split()) for line in "".join(self.pending).split("\n"))
        # Line breaks of the source mean nothing; those of <br> would be lost with them, which costs little.
        text = " ".join(line for line in lines if line)
        self.pending.clear()
        if not text or text == "-":
            return
        blocks = self.content.blocks
        if text.startswith("- ") and blocks and blocks[-1].kind == "text" and blocks[-1].text.startswith("- "):
            blocks[-1] = Block("text", f"{blocks[-1].text}\n{text}")
        else:
            blocks.append(Block("text", text))


def _is_hidden(node: Tag) -> bool:
    if not node.attrs:
        return False
    style = node.get("style")
    return (
        node.has_attr("hidden")
        or node.get("aria-hidden") == "true"
        or (isinstance(style, str) and _HIDDEN.search(style) is not None)
    )


def _line(text: str) -> str:
    return " ".join(text.split())
