"""
TLS: a source's certificate, and its renewal without a restart.

New handshakes use what the files hold; connections that are open keep theirs.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gsws.errors import ServeError
from gsws.plugins.listening import TLSConfig

if TYPE_CHECKING:
    from gsws.runtime.wheel import Timer, Wheel

__all__ = ["Certificate"]

LOOK_SECONDS: Final = 10.0
"""Seconds between two looks at the files."""


class Certificate:
    """
    A chain and its key, in the context that the listener uses.

    Args:
        config: The files, relative to ``root``.
        root: The project's root.
        wheel: For looking again.
        logger: Told when they were renewed, or cannot be.

    Raises:
        ServeError: If they cannot be used.
    """

    def __init__(self, config: TLSConfig, root: Path, wheel: Wheel, logger: Any) -> None:
        self._cert, self._key = root / config.cert, root / config.key
        self._wheel = wheel
        self._logger = logger
        self._timer: Timer | None = None
        self._looking: asyncio.Task[None] | None = None
        self._digest = b""
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._digest = self._read()
            self.context.load_cert_chain(self._cert, self._key, _no_password)
        except (OSError, ValueError) as error:
            raise ServeError(f"cannot use the TLS files `{config.cert}` and `{config.key}`: {_why(error)}") from None

    def watch(self) -> None:
        """Look at the files now and then; needs a running loop."""
        self._timer = self._wheel.schedule(LOOK_SECONDS, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()

    def renew(self) -> bool:
        """
        Take what the files hold, if it is new and fits together.

        Returns:
            Whether new handshakes use another certificate now.
        """
        try:
            digest = self._read()
            if digest == self._digest:
                return False
            # A pair that does not fit must not touch the context in use: half of it would stay.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._cert, self._key, _no_password)
            self.context.load_cert_chain(self._cert, self._key, _no_password)
        except (OSError, ValueError) as error:
            self._logger.error("cannot use the new TLS files; the old ones stay", reason=_why(error))
            return False
        self._digest = digest
        self._logger.info("TLS certificate renewed")
        return True

    def _look(self) -> None:
        self._timer = None
        self._looking = asyncio.get_running_loop().create_task(self._look_once())

    async def _look_once(self) -> None:
        try:
            await asyncio.to_thread(self.renew)
        except Exception as error:  # whatever it was, they are looked at again
            self._logger.error("cannot look at the TLS files", exc_info=error)
        self.watch()

    def _read(self) -> bytes:
        return hashlib.sha256(self._cert.read_bytes() + b"\0" + self._key.read_bytes()).digest()


def _no_password() -> str:
    # Else OpenSSL asks on the terminal, and the service hangs.
    raise ValueError("the key is encrypted")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
