"""One event source: its port, its limits, draining, and requests without a socket."""
