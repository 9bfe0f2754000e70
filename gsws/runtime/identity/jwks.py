"""
The published keys of an issuer (a JSON Web Key Set), fetched, cached and rotated.

Only the configured URL is ever asked: no redirect is followed, and nothing in a token names a place. Fetching is a
thread's work, one at a time and with a deadline; no handshake waits for it while there are keys.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from http.client import HTTPException
from itertools import islice
from typing import Any, Final

from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.download import Download
from gsws.runtime.identity.keymaterial import UnusableKey, VerificationKey, key_of_jwk
from gsws.runtime.identity.verdict import Unavailable
from gsws.text.urls import without_secrets

__all__ = ["KeySet"]

MAX_AGE: Final = 600.0
"""Seconds after which keys are fetched again."""

MAX_STALE: Final = 6 * 3600.0
"""Seconds after which keys that could not be fetched again are good no more."""

DEADLINE: Final = 5.0
"""Seconds that one fetch may take."""

INTERVAL: Final = 3.0
"""Least seconds between two fetches for tokens whose key is not known, and after a fetch that failed."""

LONGEST: Final = 60.0
"""Most seconds between two fetches while they fail."""

MAX_KEYS: Final = 100
MAX_TRIED: Final = 16
"""Keys that are tried for a token which names none."""

MAX_WAITING: Final = 64


class KeySet:
    """
    The keys at one URL.

    They are fetched again in the background, before they are too old; while the URL does not answer, those that were
    had last go on being used until `MAX_STALE`. A key that is not known makes one fetch; whoever asks again within the
    interval waits for its end, so that a key that has just been published is found, and made-up key ids cost the
    issuer no more than a request every few seconds.
    """

    def __init__(self, url: str, logger: Any) -> None:
        self._url = url
        self._threads = CheckThreads(1, 0)
        self._logger = logger.bind(url=without_secrets(url).partition("?")[0])
        self._keys: tuple[VerificationKey, ...] | None = None
        self._fetched = float("-inf")
        self._began = float("-inf")
        self._sought = float("-inf")
        self._failures = 0
        self._not_before = float("-inf")
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def begin(self) -> None:
        """Fetch the keys now, in the background, so that a wrong URL shows in the log at once."""
        self._start()

    def close(self) -> None:
        """Stop fetching."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def find(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """
        The keys that may have signed a token; none if it names a key that is not published.

        Raises:
            Unavailable: If no keys have been had yet, or not for too long.
        """
        arrived = time.monotonic()
        if arrived - self._fetched > MAX_AGE and self._task is None and arrived >= self._not_before:
            self._start()
        if self._is_useless(arrived):
            if self._task is not None:
                await asyncio.shield(self._task)
            if self._is_useless(time.monotonic()):
                raise Unavailable("the keys of `jwks_url` are not there")
        found = self._matching(kid, algorithm)
        if found or kid is None or self._failures:
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
            # Whoever waits may be cancelled; the fetch is for everybody.
            await asyncio.shield(self._start())
        elif self._task is not None:
            await asyncio.shield(self._task)
        return self._matching(kid, algorithm)

    def _is_useless(self, now: float) -> bool:
        return self._keys is None or now - self._fetched > MAX_STALE

    def _matching(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        matching = (
            key for key in self._keys or () if algorithm in key.algorithms and (kid is None or key.id in (kid, None))
        )
        return tuple(islice(matching, MAX_TRIED))

    def _start(self) -> asyncio.Task[None]:
        if self._task is None:
            self._began = time.monotonic()
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._is_closed:
            return
        now = time.monotonic()
        if self._failures:
            # Twice as long after each failure, so that an issuer in trouble is not asked by every handshake.
            delay = min(INTERVAL * 2.0 ** min(self._failures - 1, 10), LONGEST)
            self._not_before = now + delay
        else:
            delay = MAX_AGE
            self._not_before = self._began + INTERVAL
        if self._timer is not None:
            self._timer.cancel()
        self._timer = task.get_loop().call_later(max(delay, INTERVAL), self._again)

    def _again(self) -> None:
        self._timer = None
        self._start()

    async def _run(self) -> None:
        download = Download(self._url, DEADLINE)
        try:
            async with asyncio.timeout(DEADLINE):
                document = await self._threads.run(download.run)
            keys = self._read(document)
        except TimeoutError:
            self._failed("no answer in time")
        except Unavailable:
            self._failed("the attempt before has not ended")
        except (OSError, ValueError, HTTPException, RecursionError) as error:
            self._failed(without_secrets(f"{type(error).__name__}: {error}"[:200]))
        else:
            if self._failures:
                self._logger.info("the keys of `jwks_url` can be fetched again")
            self._failures = 0
            self._keys, self._fetched = keys, time.monotonic()
        finally:
            download.cut()

    def _failed(self, reason: str) -> None:
        self._failures += 1
        useless = self._is_useless(time.monotonic())
        kept = "no token can be checked" if useless else "the keys that were had last stay in use"
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
