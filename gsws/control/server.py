"""
The service's end of the control socket: JSON lines in, one JSON line back for each.

- ``{"do": "push", "eventtype": str, "payload"?: any, TARGET: str, "source"?: str}`` with TARGET one of ``room``,
  ``subject``, ``client_id``, ``connection``, and ``{"do": "disconnect", TARGET: str, "code"?: int, "reason"?: str,
  "source"?: str}``, without rooms, answer ``{"ok": true, "count": int}``;
- ``{"do": "clients"}`` and ``{"do": "statistics"}`` tell what there is, and where it listens;
- what cannot be done answers ``{"ok": false, "error": str}``.

Nothing here can keep the service from serving: connections, lines and waits are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gsws.__about__ import __version__
from gsws.control.place import LONGEST_LINE, SUFFIX, Untrusted, is_own, open_folder, peer_uid, socket_name
from gsws.diagnostics.mask import hide
from gsws.protocol.codec import Unserialisable
from gsws.runtime.requests.contract import ReplyViolation
from gsws.runtime.service import Service

__all__ = ["ControlServer"]

_CONNECTIONS: Final = 16
_IDLE_SECONDS: Final = 10.0
_MOST_CLIENTS: Final = 1000
_MOST_SWEPT: Final = 1000
_LOCK_SECONDS: Final = 2.0
_LONGEST_PATH: Final = 103
"""Bytes of a Unix socket's path that all systems take."""

_TARGETS: Final = ("room", "subject", "client_id", "connection", "source")


class ControlServer:
    """
    The control socket of one service.

    Args:
        service: Who is asked.
        environ: Where the folder is said.

    Attributes:
        path: Where it is, once it was opened.
    """

    def __init__(self, service: Service, environ: Mapping[str, str]) -> None:
        self.path: Path | None = None
        self._service = service
        self._environ = environ
        self._began = time.monotonic()
        self._server: asyncio.Server | None = None
        self._file: tuple[int, int] | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """
        Open it; a socket that a dead process left is replaced, beside one that is alive it gets a name of its own.

        Raises:
            OSError: If it cannot be had. The service serves without it.
        """
        project = self._service.project
        name = socket_name(project.root, project.settings.name)
        sock, path = await asyncio.to_thread(_bind, self._environ, name)
        facts = path.lstat()
        self.path, self._file = path, (facts.st_dev, facts.st_ino)
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=LONGEST_LINE)

    async def stop(self) -> None:
        """Close it, cut whoever is connected, and take its file away."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in tuple(self._open):
            writer.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                facts = self.path.lstat()
                if (facts.st_dev, facts.st_ino) == self._file:
                    self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        if len(self._open) >= _CONNECTIONS or sock is None or peer_uid(sock) not in (os.geteuid(), 0):
            writer.close()
            return
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while True:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        answer = await self._next(reader)
                        if answer is None:
                            return
                        writer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                        await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> dict[str, Any] | None:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            # Nothing that follows can be understood any more.
            reader.feed_eof()
            return {"ok": False, "error": f"a request has at most {LONGEST_LINE} bytes"}
        except asyncio.IncompleteReadError:
            return None
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"ok": False, "error": "a request is one JSON object on a line"}
        if not isinstance(request, dict):
            return {"ok": False, "error": "a request is one JSON object on a line"}
        return self._answer(request)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        acts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "push": self._push,
            "disconnect": self._disconnect,
            "clients": self._clients,
            "statistics": self._statistics,
        }
        act = acts.get(str(request.get("do")))
        if act is None:
            return {"ok": False, "error": f"`do` is one of {', '.join(acts)}"}
        try:
            return {"ok": True, **act(request)}
        except (ValueError, TypeError, ReplyViolation, Unserialisable) as error:
            return {"ok": False, "error": hide(str(error))}
        except Exception as error:
            self._service.logger.error("the control socket could not answer", exc_info=error)
            return {"ok": False, "error": "it failed; the log of the service says why"}

    def _push(self, request: dict[str, Any]) -> dict[str, Any]:
        target = {key: request[key] for key in _TARGETS if request.get(key) is not None}
        count = self._service.pushes.push(request.get("eventtype", ""), request.get("payload"), **target)
        return {"count": int(count)}

    def _disconnect(self, request: dict[str, Any]) -> dict[str, Any]:
        target = {key: request[key] for key in _TARGETS[1:] if request.get(key) is not None}
        code, reason = request.get("code", 4504), request.get("reason", "")
        return {"count": int(self._service.pushes.disconnect(code=code, reason=reason, **target))}

    def _clients(self, request: dict[str, Any]) -> dict[str, Any]:
        shown: list[dict[str, Any]] = []
        total = 0
        for name, live in self._service.live.items():
            everybody = dict.fromkeys((*live.clients(), *live.registry.sessions.values()))
            total += len(everybody)
            shown += [
                {
                    "source": name,
                    "connection": client.id,
                    "client_id": client.label,
                    "subject": client.actor.subject if client.actor.authenticated else None,
                    "is_session": client.session_id is not None,
                    "is_open": client.is_open,
                    "in_flight": 0 if client.scheduler is None else client.scheduler.in_flight,
                }
                for client in list(everybody)[: _MOST_CLIENTS - len(shown)]
            ]
        return {"clients": shown, "total": total}

    def _statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        service, numbers = self._service, self._service.statistics()
        return {
            "name": service.project.settings.name,
            "env": service.project.env,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "ready": service.is_ready(),
            "addresses": {name: list(address) for name, address in service.addresses().items()},
            "connections": numbers.connections,
            "sessions": numbers.sessions,
            "counters": service.counters(),
        }


def _bind(environ: Mapping[str, str], name: str) -> tuple[socket.socket, Path]:
    """Take a place in the folder; nobody can connect before it is this user's alone."""
    folder = open_folder(environ)
    with _locked(folder):
        _sweep(folder)
        path = folder / f"{name}{SUFFIX}"
        if _is_alive(path):
            path = folder / f"{name}.{os.getpid()}{SUFFIX}"
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise Untrusted(f"`{path}` is too long for a socket; set GSWS_RUNTIME_DIR to a shorter folder")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(os.fspath(path))
            path.chmod(0o600)
            sock.listen(_CONNECTIONS)  # whoever comes next is to see that it is alive
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock, path


def _sweep(folder: Path) -> None:
    """Take away the sockets that dead processes left, of whatever project; under the lock nobody is about to listen."""
    for path in sorted(folder.glob(f"*{SUFFIX}"))[:_MOST_SWEPT]:
        if is_own(path) and not _is_alive(path):
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one to put a socket into a folder; two services that start at once must not take each other's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _is_alive(path: Path) -> bool:
    """Whether somebody listens at a socket."""
    if not os.path.lexists(path):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(os.fspath(path))
        except TimeoutError:
            return True  # its queue is full: alive, and busy
        except OSError as error:
            return error.errno == errno.EAGAIN  # Linux says so of a full queue
        return True
