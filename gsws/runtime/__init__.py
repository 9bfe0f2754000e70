"""
The running service: connections, requests, rooms, sources, start and drain.

`gsws.runtime.service` is the composition root; `gsws.runtime.transport` alone knows sockets.
"""
