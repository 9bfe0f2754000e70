"""
Asking the running processes of a project through their control sockets, from a command.

Sockets that nobody answers at are passed by: their process has died.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gsws.control.place import LONGEST_LINE, peer_uid, sockets_of

__all__ = ["Unanswered", "ask", "places_of"]

_LONGEST_ANSWER: Final = 2**24


class Unanswered(Exception):
    """A service that is there gave no answer; the message says what happened."""


def ask(root: Path, request: Mapping[str, Any], environ: Mapping[str, str], *, timeout: float = 10.0) -> list[Any]:
    """
    Put one request to every process that serves a project.

    Returns:
        Their answers, each a JSON object; empty if none is running.

    Raises:
        ValueError: If the request is no JSON or larger than `LONGEST_LINE`.
        Unanswered: If one that runs does not answer in ``timeout`` seconds, or not with JSON.
    """
    line = json.dumps(request, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise ValueError(f"it has {len(line)} bytes, and a control socket takes {LONGEST_LINE}")
    answers = []
    for path in sockets_of(root, environ):
        answer = _ask(path, line, timeout)
        if answer is not None:
            answers.append(answer)
    return answers


def _ask(path: Path, line: bytes, timeout: float) -> Any:
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError as error:
            raise Unanswered(f"`{path}` cannot be reached: {error.strerror or error}") from None
        if peer_uid(sock) not in (os.geteuid(), 0):
            raise Unanswered(f"`{path}` is not served by this user")
        try:
            sock.sendall(line)
        except TimeoutError:
            raise Unanswered(f"the service did not read the request within {timeout:g} s") from None
        except OSError:
            pass  # it may have said why before it closed
        return _read(sock, deadline, timeout)


def _read(sock: socket.socket, deadline: float, timeout: float) -> Any:
    data = bytearray()
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or len(data) > _LONGEST_ANSWER:
            raise Unanswered(f"the service did not answer within {timeout:g} s")
        sock.settimeout(left)
        try:
            part = sock.recv(65536)
        except TimeoutError:
            raise Unanswered(f"the service did not answer within {timeout:g} s") from None
        except OSError as error:
            raise Unanswered(f"the service hung up: {error.strerror or error}") from None
        if not part:
            raise Unanswered("the service hung up without an answer")
        data += part
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unanswered("what answered is no service of gsws")
    return answer


_PATIENCE: Final = 3.0
"""Seconds for each service to answer; one that does not is passed by."""


def places_of(root: Path, source: str) -> list[tuple[str, int]]:
    """
    Ask where an event source listens now; it may be elsewhere than its file says.

    Returns:
        ``(host, port)`` of each process that serves it; empty if there is none, or none that answers.
    """
    if os.name != "posix":
        return []
    from gsws.control.client import Unanswered, ask

    try:
        answers = ask(root, {"do": "statistics"}, os.environ, timeout=_PATIENCE)
    except Unanswered:
        return []
    found = [_place(answer.get("addresses"), source) for answer in answers]
    return list(dict.fromkeys(place for place in found if place is not None))


def _place(addresses: Any, source: str) -> tuple[str, int] | None:
    """One place; the process may be of another release, and say nothing of the kind."""
    match addresses.get(source) if isinstance(addresses, dict) else None:
        case [str(host), int(port)]:
            return host, port
    return None
