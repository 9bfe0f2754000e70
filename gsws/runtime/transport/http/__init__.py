"""A socket until it is a WebSocket: one HTTP request, answered or upgraded, and static files."""
