"""
The published keys of an issuer (a JSON Web Key Set), fetched, cached and rotated.

Only the configured URL is ever asked: no redirect is followed, and nothing in a token names a place. Fetching is a
thread's work, one at a time and with a deadline.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException
from itertools import islice
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from gsws.runtime.identity.keymaterial import UnusableKey, VerificationKey, key_of_jwk
from gsws.runtime.identity.verdict import Unavailable
from gsws.runtime.threads import ThreadPool

__all__ = ["KeySet"]

MAX_AGE: Final = 600.0
"""Seconds after which keys are fetched again."""

DEADLINE: Final = 5.0
"""Seconds that one fetch may take."""

INTERVAL: Final = 3.0
"""Least seconds between two fetches for tokens whose key is not known."""

MAX_BYTES: Final = 2**18
MAX_KEYS: Final = 100
MAX_TRIED: Final = 16
"""Keys that are tried for a token which names none."""

MAX_WAITING: Final = 64


class KeySet:
    """
    The keys at one URL.

    While the URL does not answer, the keys that were had last go on being used. A key that is not known makes one
    fetch; whoever asks again within the interval waits for its end, so that a key that has just been published is
    found, and made-up key ids cost the issuer no more than a request every few seconds.
    """

    def __init__(self, url: str, threads: ThreadPool, logger: Any) -> None:
        self._url = url
        self._threads = threads
        self._logger = logger.bind(url=url.partition("?")[0])
        self._keys: tuple[VerificationKey, ...] | None = None
        self._fetched = float("-inf")
        self._began = float("-inf")
        self._sought = float("-inf")
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Fetch the keys now, in the background, so that a wrong URL shows in the log at once."""
        self._start()

    def close(self) -> None:
        """Stop fetching."""
        if self._task is not None:
            self._task.cancel()

    async def find(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """
        The keys that may have signed a token; none if it names a key that is not published.

        Raises:
            Unavailable: If no keys have been had yet.
        """
        arrived = time.monotonic()
        if arrived - self._fetched > MAX_AGE and (self._task is not None or arrived - self._began > INTERVAL):
            await self._fetch()
        if self._keys is None:
            raise Unavailable
        found = self._matching(kid, algorithm)
        if found or kid is None:
            return found
        wait = self._sought + INTERVAL - time.monotonic()
        if wait > 0 and self._task is None:
            if self._waiting >= MAX_WAITING:
                return ()
            self._waiting += 1
            try:
                await asyncio.sleep(wait)
            finally:
                self._waiting -= 1
        if self._began <= arrived:
            self._sought = time.monotonic()
            await self._fetch()
        elif self._task is not None:
            await asyncio.shield(self._task)
        return self._matching(kid, algorithm)

    def _matching(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        matching = (
            key for key in self._keys or () if algorithm in key.algorithms and (kid is None or key.id in (kid, None))
        )
        return tuple(islice(matching, MAX_TRIED))

    async def _fetch(self) -> None:
        # Whoever waits may be cancelled; the fetch is for everybody.
        await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._task is None:
            self._began = time.monotonic()
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                document = await self._threads.run(partial(_download, self._url, time.monotonic() + DEADLINE))
            keys = self._read(document)
        except TimeoutError:
            self._failed("no answer in time")
        except (OSError, ValueError, HTTPException, RecursionError) as error:
            self._failed(f"{type(error).__name__}: {error}"[:200])
        else:
            self._keys, self._fetched = keys, time.monotonic()

    def _failed(self, reason: str) -> None:
        kept = "no token can be checked" if self._keys is None else "the keys that were had last stay in use"
        self._logger.warning("cannot fetch the keys of `jwks_url`", error=reason, outcome=kept)

    def _read(self, document: Any) -> tuple[VerificationKey, ...]:
        if not isinstance(document, Mapping) or not isinstance(document.get("keys"), list):
            raise ValueError("the answer is no JSON Web Key Set")  # noqa: TRY004  # an answer, no argument
        keys = []
        for index, jwk in enumerate(document["keys"][:MAX_KEYS]):
            try:
                keys.append(key_of_jwk(jwk))
            except UnusableKey as error:
                self._logger.debug("a key of `jwks_url` is left out", index=index, reason=str(error))
        if not keys:
            self._logger.warning("`jwks_url` publishes no key that can be used")
        return tuple(keys)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def _download(url: str, deadline: float) -> Any:
    """Get and decode the document; runs in a thread."""
    handlers: list[Any] = [_NoRedirect]
    if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "gsws"})  # noqa: S310
    try:
        opened = opener.open(request, timeout=DEADLINE)  # the scheme was checked with the config
    except HTTPError as error:
        with error:
            raise OSError(f"HTTP status {error.code}") from None
    with opened as response:
        body = bytearray()
        while piece := response.read1(65536):
            body += piece
            if len(body) > MAX_BYTES:
                raise ValueError(f"the answer is larger than {MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
    return json.loads(body)
