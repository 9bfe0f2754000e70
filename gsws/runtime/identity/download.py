"""
One download of a small JSON document, in a thread, which can be cut at any moment.

The standard library's time-outs count from byte to byte; a server that sends one now and then would keep a thread for
ever. Whoever waits has the deadline, and cuts the socket.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import time
import urllib.request
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

__all__ = ["MAX_BYTES", "Download"]

MAX_BYTES: Final = 2**18


class Download:
    """
    Gets one URL; no redirect is followed.

    Args:
        url: What to get; ``user:password@`` in it is sent as ``Authorization: Basic``.
        seconds: What it may take altogether.
    """

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._host = parts.hostname
        self._headers = {"Accept": "application/json", "User-Agent": "gsws"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def cut(self) -> None:
        """End it from another thread: what waits for the server fails at once."""
        self._is_cut = True
        for sock in tuple(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> Any:
        """
        Get and decode the document; to be called in a thread.

        Raises:
            OSError, ValueError, HTTPException, RecursionError: If there is none; the message holds no secret.
        """
        handlers: list[Any] = [_NoRedirect, _Plain(self), _Secure(self)]
        if self._host in ("localhost", "127.0.0.1", "::1"):
            handlers.append(urllib.request.ProxyHandler({}))
        opener = urllib.request.build_opener(*handlers)
        request = urllib.request.Request(self._url, headers=self._headers)  # noqa: S310  # http(s) by the config's schema
        try:
            opened = opener.open(request, timeout=self._seconds)
        except HTTPError as error:
            with error:
                raise OSError(f"HTTP status {error.code}") from None
        body = bytearray()
        with opened as response:
            while piece := response.read1(65536):
                body += piece
                if len(body) > MAX_BYTES:
                    raise ValueError(f"the answer is larger than {MAX_BYTES} bytes")
                if self._is_cut or time.monotonic() > self._deadline:
                    raise TimeoutError
        return json.loads(body)

    def watch(self, sock: socket.socket) -> None:
        """Let `cut` reach a socket."""
        self._sockets.append(sock)
        if self._is_cut:
            self.cut()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, download: Download) -> None:
        super().__init__()
        self._download = download

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        download = self._download

        class Watched(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                download.watch(self.sock)

        return self.do_open(Watched, request)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, download: Download) -> None:
        super().__init__()
        self._download = download

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        download = self._download

        class Watched(http.client.HTTPSConnection):
            def connect(self) -> None:
                http.client.HTTPConnection.connect(self)  # of a proxy's tunnel, too
                name = getattr(self, "_tunnel_host", None) or self.host
                context = ssl.create_default_context()
                # The handshake is begun when the socket can be cut: it may never end by itself.
                self.sock = context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
                download.watch(self.sock)
                self.sock.do_handshake()

        return self.do_open(Watched, request)
