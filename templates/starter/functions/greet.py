"""Answers `websocket.greet`."""


async def greet(payload):
    """Greet by name; what is returned is the reply's `data`."""
    return {"text": f"Hello, {payload['name']}!"}
