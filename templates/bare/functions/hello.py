"""Answers `websocket.hello`."""


async def hello(payload):
    """What is returned is the reply's `data`."""
    return {"text": f"Hello, {payload['name']}!"}
