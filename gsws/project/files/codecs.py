"""
A `ProjectCache` that outlives its process: how parsed files become bytes for `files.store`, and values again.

A document is kept only if nothing is wrong with it and no two places share a value; its spans come back with it.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from gsws.project.files.cache import ProjectCache
from gsws.project.files.store import Codec, DiskStore
from gsws.project.python.module import ModuleFacts
from gsws.yaml.document import Document, marked, marks_of

__all__ = ["CODECS", "disk_cache"]

_Digests = tuple[tuple[str, str], ...]

_decode: Final = msgspec.msgpack.Decoder(tuple[Any, bytes]).decode
_encode: Final = msgspec.msgpack.Encoder().encode


def disk_cache(root: Path, environ: Mapping[str, str] | None = None) -> ProjectCache:
    """
    A cache that begins with what earlier runs left in ``.gsws/cache/``; ``GSWS_NO_CACHE`` makes it an empty one.

    Args:
        root: The project's root.
        environ: Where ``GSWS_NO_CACHE`` is looked up; the process's environment when None.
    """
    if (os.environ if environ is None else environ).get("GSWS_NO_CACHE"):
        return ProjectCache()
    store = DiskStore(root, CODECS)
    return ProjectCache(store, _SoundSchemas(store))


class _SoundSchemas:
    """Schemas without a fault, by the hash of their text and surroundings; see `gsws.schema.SoundSchemas`."""

    def __init__(self, store: DiskStore) -> None:
        self._store = store

    def good(self, key: bytes) -> _Digests | None:
        known: _Digests | None = self._store.get("schema", key.hex(), key, b"")
        return known

    def learn(self, key: bytes, digests: _Digests) -> None:
        self._store.put("schema", key.hex(), key, digests)


class _Schemas:
    def encode(self, value: _Digests) -> bytes | None:
        return _encode(value)

    def decode(self, path: str, raw: bytes, kept: bytes) -> _Digests:
        return msgspec.msgpack.decode(kept, type=_Digests)


class _Documents:
    def encode(self, value: Document) -> bytes | None:
        marks = marks_of(value)
        return None if marks is None else _encode((value.data, marks.tobytes()))

    def decode(self, path: str, raw: bytes, kept: bytes) -> Document:
        data, packed = _decode(kept)
        marks = array("i")
        marks.frombytes(packed)
        return marked(path, raw.decode("utf-8"), data, marks)


class _Modules:
    def __init__(self) -> None:
        self._decoder: msgspec.msgpack.Decoder[ModuleFacts] | None = None

    def encode(self, value: ModuleFacts) -> bytes | None:
        return None if value.failure is not None else _encode(value)

    def decode(self, path: str, raw: bytes, kept: bytes) -> ModuleFacts:
        if self._decoder is None:
            self._decoder = msgspec.msgpack.Decoder(ModuleFacts)
        return self._decoder.decode(kept)


CODECS: Final[Mapping[str, Codec]] = {"yaml": _Documents(), "python": _Modules(), "schema": _Schemas()}
"""By the kinds that `gsws.project.files.read` gives to `ProjectCache.file`, and one for schemas."""
