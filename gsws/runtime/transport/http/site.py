"""
What plain requests to a port get: pages of its application, files of ``public/``, files that gsws ships; else 404.

Decided here, without the socket; `connection` sends it, large files by `sendfile`.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gsws.runtime.transport.http.conditions import Unsatisfiable, precondition, wanted_range
from gsws.runtime.transport.http.files import PublicFile, PublicFolder
from gsws.runtime.transport.http.origins import host_allowed, origin_allowed
from gsws.runtime.transport.http.pages import LARGEST_PAGE, page_headers
from gsws.runtime.transport.interface import Page, RequestHead
from gsws.runtime.transport.port import Port

__all__ = ["Found", "Site"]

log = logging.getLogger("gsws.transport")


@dataclass(frozen=True, slots=True)
class Found:
    """
    A response with a file, which whoever sends it closes.

    Attributes:
        file: What to send.
        status: HTTP status.
        headers: Header fields.
        start: The first byte to send.
        length: How many.
    """

    file: PublicFile
    status: int
    headers: tuple[tuple[str, str], ...]
    start: int
    length: int


class Site:
    """
    The plain requests of one port.

    Args:
        port: Whose they are.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self._public = PublicFolder(port.options.public) if port.options.public is not None else None
        self._executor: ThreadPoolExecutor | None = None

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Threads that read files, so that handlers in threads do not hold them up."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(2, thread_name_prefix="gsws-files")
        return self._executor

    def close(self) -> None:
        """Read no file any more."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def is_elsewhere(self, head: RequestHead, peer: str) -> bool:
        """Whether a request is for a name that is not ours: a page made that name lead here (DNS rebinding)."""
        if host_allowed(head.host, self.port.options):
            return False
        self.port.refusals.tell(
            "warning",
            "refused a request",
            "its `Host` is not one of this service; list it in `hosts` of the event source",
            host=head.host[:100],
            peer=peer,
        )
        return True

    def answer(self, head: RequestHead, peer: str) -> Page | Found:
        """
        Find what a ``GET`` or ``HEAD`` asks for.

        Args:
            head: The request.
            peer: Address of who asks.
        """
        page = self._page(head, peer)
        if not (page is not None and page.any_host) and self.is_elsewhere(head, peer):
            return Page(404, b"not found: this name is not one of the service's `hosts`\n")
        return page or self._find_file(head)

    def _page(self, head: RequestHead, peer: str) -> Page | None:
        try:
            return self.port.application.page(head, peer)
        except Exception:
            log.exception("the page of a request failed")
            return Page(500, b"the page could not be made\n")

    def _find_file(self, head: RequestHead) -> Page | Found:
        extra: tuple[tuple[str, str], ...] = ()
        found = None if self._public is None else self._public.open(head.path)
        if found is None and (shipped := self.port.options.shipped.get(head.path)) is not None:
            found = PublicFolder(shipped.parent).open(f"/{shipped.name}")
            extra = self._sharing(head)
        if found is None:
            return Page(404, b"not found\n")
        if isinstance(found, str):
            query = f"?{head.query}" if head.query else ""
            return Page(301, headers=(("Location", found + query),))
        try:
            headers = (*found.headers, *extra)
            if found.is_page:
                markup = found.read(found.size) if found.size <= LARGEST_PAGE else None
                headers = (*headers, *page_headers(self.port.options.csp, markup))
            return _answered(found, head, headers)
        except BaseException:
            found.close()
            raise

    def _sharing(self, head: RequestHead) -> tuple[tuple[str, str], ...]:
        """Let the pages that may connect take our client as a module, from wherever they are."""
        origins = head.headers.get_all("Origin")
        if origins and origin_allowed(origins, head.host, head.port, self.port.options):
            return ("Vary", "Origin"), ("Access-Control-Allow-Origin", origins[0])
        return (("Vary", "Origin"),)


def _answered(file: PublicFile, head: RequestHead, headers: tuple[tuple[str, str], ...]) -> Found:
    """What a request for a file comes to (RFC 9110): all of it, a part, or why neither."""
    status = precondition(head.headers, file.etag, file.modified)
    if status != 200:
        return Found(file, status, headers, 0, 0)
    if head.method == "GET":
        try:
            part = wanted_range(head.headers, file.size, file.etag, file.modified)
        except Unsatisfiable:
            return Found(file, 416, (*headers, ("Content-Range", f"bytes */{file.size}")), 0, 0)
        if part is not None:
            start, length = part
            place = ("Content-Range", f"bytes {start}-{start + length - 1}/{file.size}")
            return Found(file, 206, (*headers, place), start, length)
    return Found(file, 200, headers, 0, file.size)
