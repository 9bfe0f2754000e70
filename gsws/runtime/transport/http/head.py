"""
HTTP/1.1 as far as a WebSocket port needs it: reading one request head, writing one response.

Bytes in and out; no sockets. What a request means is decided in `connection`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from gsws.runtime.transport.interface import Headers, RequestHead

__all__ = ["BadRequest", "parse_head", "response"]

MAX_REQUEST_LINE = 8192
MAX_HEAD = 32768
MAX_FIELDS = 100
MAX_HOST = 261

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_VERSION = re.compile(rb"HTTP/\d\.\d")
_BARE_LF = re.compile(rb"(?:^|[^\r])\n")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_LABELS = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
_HOST = re.compile(rf"(?P<host>{_LABELS}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>\d{{1,5}})?)?")


class BadRequest(Exception):
    """
    A request that cannot be served.

    Attributes:
        status: HTTP status of the answer.
        detail: One sentence for whoever sent it.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def parse_head(buffer: bytes | bytearray, seen: int = 0) -> RequestHead | None:
    """
    Read a request head (RFC 9112) from the beginning of what was received.

    Args:
        buffer: Everything received so far.
        seen: How much of it was there at the last call, so that a trickle is not read again and again.

    Returns:
        The head, or None if more is needed.

    Raises:
        BadRequest: As soon as it is clear that no acceptable request begins here.
    """
    start = 2 if buffer[:2] == b"\r\n" else 0  # RFC 9112 section 2.2: ignore one empty line
    line_end = buffer.find(b"\r\n", start)
    if (len(buffer) if line_end < 0 else line_end) - start > MAX_REQUEST_LINE:
        raise BadRequest(414, f"the request line is longer than {MAX_REQUEST_LINE} bytes")
    if line_end < 0:
        _check_beginning(buffer, start, seen)
        return None
    head_end = buffer.find(b"\r\n\r\n", max(line_end, seen - 3))
    if (len(buffer) if head_end < 0 else head_end) - start > MAX_HEAD:
        raise BadRequest(431, f"the header fields are longer than {MAX_HEAD} bytes")
    if _BARE_LF.search(buffer, max(start, seen - 1), len(buffer) if head_end < 0 else head_end):
        raise BadRequest(400, "a line does not end in CRLF")
    if head_end < 0:
        _check_beginning(buffer, start, seen)
        return None
    method, target, version = _request_line(bytes(buffer[start:line_end]))
    fields = _fields(bytes(buffer[line_end + 2 : head_end]))
    headers = Headers(fields)
    authority, path, query = _split_target(target)
    host, port = _host(headers, authority, version)
    return RequestHead(method, path, query, version, tuple(fields), headers, host, port, head_end + 4)


def response(
    status: int,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    *,
    server: str = "",
    length: int | None = None,
    content_type: str = "text/plain; charset=utf-8",
    head_only: bool = False,
) -> bytes:
    """
    Write a whole response, or its head, which always ends the connection.

    Args:
        status: HTTP status.
        body: Body; left out when ``head_only``.
        headers: Further header fields; characters outside of printable Latin-1 are dropped.
        server: Value of ``Server``; empty for none.
        length: ``Content-Length`` when the body is sent apart from this.
        content_type: Media type of the body.
        head_only: Whether the request was a ``HEAD``, or the body follows by itself.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Refused"
    lines = [f"HTTP/1.1 {status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
    if server:
        lines.append(f"Server: {server}")
    lines.append("Connection: close")
    if status != 304:
        lines.append(f"Content-Type: {content_type}")
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines.append("X-Content-Type-Options: nosniff")
    lines.extend(f"{_printable(name)}: {_printable(value)}" for name, value in headers)
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head if head_only or status == 304 else head + body


def _printable(text: str) -> str:
    return "".join(c for c in text if c == "\t" or " " <= c <= "~" or "\xa0" <= c <= "\xff")


def _check_beginning(buffer: bytes | bytearray, start: int, seen: int) -> None:
    # A TLS ClientHello, a binary protocol or plain noise is told so at once instead of at the deadline.
    word = bytes(buffer[start : start + 33]).split(b" ", 1)[0].split(b"\r", 1)[0]
    if word and not _METHOD.fullmatch(word):
        raise BadRequest(400, "this is not an HTTP request")
    if _BARE_LF.search(buffer, max(start, seen - 1)):
        raise BadRequest(400, "a line does not end in CRLF")


def _request_line(line: bytes) -> tuple[str, str, tuple[int, int]]:
    parts = line.split(b" ")
    if len(parts) != 3 or not _METHOD.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise BadRequest(400, "the request line is malformed")
    if not _VERSION.fullmatch(parts[2]):
        raise BadRequest(400, "the HTTP version is malformed")
    version = (parts[2][5] - 48, parts[2][7] - 48)
    if version[0] != 1:
        raise BadRequest(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    return parts[0].decode("ascii"), parts[1].decode("ascii"), version


def _fields(block: bytes) -> list[tuple[str, str]]:
    if not block:
        return []
    lines = block.split(b"\r\n")
    if len(lines) > MAX_FIELDS:
        raise BadRequest(431, f"there are more than {MAX_FIELDS} header fields")
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest(400, "a header field is malformed")
        fields.append((name.decode("ascii"), value.decode("latin-1")))
    return fields


def _split_target(target: str) -> tuple[str | None, str, str]:
    authority = None
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise BadRequest(400, "the request target is malformed")
        authority, target = absolute[1], absolute[2]
        if not target.startswith("/"):
            target = "/" + target
    path, _, query = target.partition("#")[0].partition("?")
    return authority, path, query


def _host(headers: Headers, authority: str | None, version: tuple[int, int]) -> tuple[str, int | None]:
    values = headers.get_all("Host")
    if len(values) > 1:
        raise BadRequest(400, "there is more than one Host header")
    if not values and version >= (1, 1):
        raise BadRequest(400, "there is no Host header")
    # RFC 9112 section 3.2.2: an absolute target wins over the Host header, which must be well-formed too.
    host: tuple[str, int | None] = ("", None)
    for value in [*values, *([] if authority is None else [authority])]:
        match = _HOST.fullmatch(value) if len(value) <= MAX_HOST else None
        port = int(match["port"]) if match and match["port"] else None
        if match is None or (port is not None and port > 65535):
            raise BadRequest(400, "the Host header is malformed")
        host = (match["host"].lower(), port)
    return host
