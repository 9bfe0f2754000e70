"""
What identity and limits cost a message: one gsws with each of them beside one with none.

The handshake is not part of the figure: whatever it checks, it checks once a connection.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.figures import Comparison, compare
from tests.benchmarks.load import Load
from tests.benchmarks.server import GSWS, LOAD_CORE, Contestant, Server, gsws_project
from tests.benchmarks.throughput import CONNECTIONS, IN_FLIGHT
from tests.benchmarks.workload import EVENT

__all__ = ["measure_guards"]

_PLAIN = "no authn, no authz, no rate"
_GUARDS = {
    "authn": ("authn: {fn: who}\n", ""),
    "authn, anonymous clients": ("authn: {fn: nobody, anonymous: true}\n", "  authn: false\n"),
    "authn, authz by scopes": ("authn: {fn: who}\n", '  authz: {scopes: ["bench:run"]}\n'),
    "a rate of the source": ("limits: {rate: {messages: 1000000000}}\n", ""),
    "a rate of the event": ("", "  rate: {messages: 1000000000}\n"),
}
_WHO = """\
from gsws import GSActor


async def handler(handshake):
    return GSActor("bench", authenticated=True, scopes=frozenset({"bench:run", "bench:read"}))
"""


def measure_guards(folder: Path, rounds: int, messages: int) -> list[Comparison]:
    """CPU of the server for one answered message, by what is configured; the subject of the ratios has none of it."""
    servers = {_PLAIN: _server(folder / "plain", "", "")}
    for number, (name, (source, event)) in enumerate(_GUARDS.items()):
        servers[name] = _server(folder / f"guard{number}", source, event)
    load = Load(LOAD_CORE)
    figures: dict[str, list[float]] = {name: [] for name in servers}
    try:
        for server in servers.values():
            server.start()
        for number in range(-1, rounds):
            for name, server in servers.items():
                before = server.cpu()
                load.run(server.port, connections=CONNECTIONS, in_flight=IN_FLIGHT, messages=messages, check=number < 0)
                if number >= 0:
                    figures[name].append((server.cpu() - before) / messages * 1e6)
    finally:
        load.close()
        for server in servers.values():
            server.stop()
    return compare("us", figures, {}, _PLAIN)


def _server(folder: Path, source: str, event: str) -> Server:
    gsws_project(folder)
    path = folder / "eventsources" / "websocket.yaml"
    path.write_text(path.read_text() + source)
    path = folder / "events" / "echo.yaml"
    path.write_text(path.read_text().replace(f'"{EVENT}":\n', f'"{EVENT}":\n{event}'))
    (folder / "functions" / "who.py").write_text(_WHO)
    (folder / "functions" / "nobody.py").write_text("async def handler(handshake):\n    return None\n")
    return Server(Contestant(folder.name, [GSWS, "serve", "--env", "production"], folder))
