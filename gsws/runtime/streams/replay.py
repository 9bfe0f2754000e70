"""
What a client that missed frames is sent: each as it was, or all text of them as one snapshot (protocol P8.3).

Which frames those are is the session log's to say.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gsws.protocol.answer import chunk_text
from gsws.protocol.codec import encode
from gsws.runtime.streams.log import StreamState
from gsws.types import RequestId

__all__ = ["replay"]


def replay(id: RequestId, state: StreamState) -> Iterator[bytes]:
    """The missed frames of a stream; where all text was asked for, a snapshot in the place of the last chunk of it."""
    frames, text = state.frames, state.text
    if text is None:
        yield from frames
        return
    last = next((number for number in range(len(frames) - 1, -1, -1) if chunk_text(frames[number]) is not None), None)
    if last is None and state.gap is not None:
        yield from frames[: state.earlier]
        yield _snapshot(id, state.gap, text)
        yield from frames[state.earlier :]
        return
    for number, data in enumerate(frames):
        if number == last:
            yield _snapshot(id, msgspec.json.decode(data)["seq"], text)
        elif chunk_text(data) is None:
            yield data


def _snapshot(id: RequestId, seq: int, text: str) -> bytes:
    return encode({"eventtype": "stream.snapshot", "id": id, "seq": seq, "payload": {"message": text}})
