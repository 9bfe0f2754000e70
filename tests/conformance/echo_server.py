"""
An echo server on the project's transport, for conformance runners.

``python -m tests.conformance.echo_server --port N`` serves until it is stopped. Text and binary messages come back as
they are. Its limits admit the largest messages of the Autobahn suite (16 MiB, in fragments of 64 bytes), and
permessage-deflate is offered.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from gsws.runtime.transport import Connection, Handshake, Listener, ListenOptions, Port, RequestHead


class Echo:
    """Receiver that sends back what it gets."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.message = connection.send_text
        self.binary = connection.send_binary

    def closed(self, code: int, reason: str) -> None:
        del self.connection, self.message, self.binary


class EchoApplication:
    """Application of `Echo` receivers; lets everyone in."""

    def authorize(self, handshake: Handshake) -> None:
        return None

    def connected(self, connection: Connection, handshake: Handshake) -> Echo:
        return Echo(connection)

    def page(self, head: RequestHead, peer: str) -> None:
        return None

    def too_large(self, limit: int) -> bytes:
        return b'{"eventtype":"stream.error","payload":{"message":"too large","error":"too_large","code":413}}'


async def serve(options: ListenOptions) -> None:
    """Serve until SIGTERM or SIGINT; prints the port when it is bound."""
    listener = Listener(Port(EchoApplication(), options))
    await listener.start()
    print(listener.port.number, flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await listener.close(1001, timeout=2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--message-bytes", type=int, default=2**24)
    parser.add_argument("--no-compression", action="store_true")
    parser.add_argument("--heartbeat", type=float, default=20.0, help="seconds, interval and timeout")
    arguments = parser.parse_args()
    options = ListenOptions(
        host=arguments.host,
        port=arguments.port,
        origins=("*",),
        message_bytes=arguments.message_bytes,
        compression=not arguments.no_compression,
        heartbeat_interval=arguments.heartbeat,
        heartbeat_timeout=arguments.heartbeat,
    )
    if arguments.loop == "uvloop":
        import uvloop

        uvloop.run(serve(options))
    else:
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
