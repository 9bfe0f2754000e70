"""
From specs to something callable: modules imported in revisions, signatures adapted once, an immutable table of routes.

No sockets here; what a handler sees of a connection is the `Invocation` seam in `gsws.routing.context`.
"""
