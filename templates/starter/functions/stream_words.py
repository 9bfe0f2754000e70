"""Answers `websocket.stream`."""

import asyncio


async def stream_words(payload):
    """Say the message back, word by word; what is yielded leaves at once as a `stream.chunk`."""
    for word in f"You said: {payload['message']}".split():
        yield f"{word} "
        await asyncio.sleep(0.05)
