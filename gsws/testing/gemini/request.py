"""What a request to the stand-in asked, and what became of it: written by the server, read by tests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Outcome", "Request"]

Outcome = Literal["running", "answered", "refused", "failed", "left", "dropped", "stopped"]
"""
How a request ended: ``answered`` whole, ``refused`` with an HTTP error, ``failed`` with an error in its middle, the
client ``left``, the script ``dropped`` the connection, or the server was ``stopped``.
"""


@dataclass(slots=True, eq=False)
class Request:
    """
    One request: what came, and how the answer went.

    Times are `time.monotonic` in seconds.

    Attributes:
        operation: ``streamGenerateContent``, ``generateContent``, ``embedContent``, ``batchEmbedContents``,
            ``countTokens``, ``models`` or empty for an unknown path.
        model: Name of the model without ``models/``.
        headers: By lower-case name; the key is masked.
        body: What was sent, decoded from JSON, its members in camel case however the client wrote them.
        received: When it had come whole.
        status: The HTTP status of the answer, 0 before there is one.
        sent: When each token or call was sent.
        outcome: How it ended.
        ended: When it ended, or None.
        error: What it was refused with, ``STATUS: message``, or how the script dropped it.
        left: When the client was seen to have gone before the answer's end, or None.
    """

    method: str
    path: str
    operation: str = ""
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    received: float = field(default_factory=time.monotonic)
    status: int = 0
    sent: list[float] = field(default_factory=list)
    outcome: Outcome = "running"
    ended: float | None = None
    left: float | None = None
    error: str = ""

    @property
    def contents(self) -> Sequence[Mapping[str, Any]]:
        """The conversation: each ``{"role": "user" | "model", "parts": [...]}``."""
        contents = self.body.get("contents") if isinstance(self.body, Mapping) else None
        return contents if isinstance(contents, list) else []

    @property
    def text(self) -> str:
        """The text of the last content: what the user asked, or empty after a tool."""
        return _text(self.contents[-1]) if self.contents else ""

    @property
    def question(self) -> str:
        """The last text of the user, also if tools were called since."""
        texts = (_text(content) for content in reversed(self.contents) if content.get("role") != "model")
        return next((text for text in texts if text), "")

    @property
    def system(self) -> str:
        """The system instruction's text."""
        system = self.body.get("systemInstruction") if isinstance(self.body, Mapping) else None
        return _text(system) if isinstance(system, Mapping) else ""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The declarations of the functions that may be called."""
        tools = self.body.get("tools") if isinstance(self.body, Mapping) else None
        groups = tools if isinstance(tools, list) else []
        return [
            one for group in groups if isinstance(group, Mapping) for one in group.get("functionDeclarations") or ()
        ]

    @property
    def responses(self) -> Sequence[Mapping[str, Any]]:
        """The function responses of the last content: each ``{"name": str, "response": {...}, "id"?: str}``."""
        last = self.contents[-1] if self.contents else {}
        return [part["functionResponse"] for part in last.get("parts") or () if "functionResponse" in part]

    @property
    def streams(self) -> bool:
        """Whether it is answered token by token."""
        return self.operation == "streamGenerateContent"

    def tokens_after(self, moment: float) -> int:
        """How many tokens were sent after a moment of `time.monotonic`."""
        return sum(when > moment for when in self.sent)

    def config(self, name: str) -> Any:
        """A value of ``generationConfig``, or None."""
        config = self.body.get("generationConfig") if isinstance(self.body, Mapping) else None
        return config.get(name) if isinstance(config, Mapping) else None


def _text(content: Mapping[str, Any]) -> str:
    texts = (part.get("text") for part in content.get("parts") or () if not part.get("thought"))
    return "".join(text for text in texts if isinstance(text, str))
