"""A socket that is a WebSocket: frames, back-pressure, heartbeats and closing."""
