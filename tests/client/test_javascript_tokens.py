"""Tokens of the JavaScript client: renewed in band in time, asked for again when the server says that one is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.support import service
from tests.client.test_credentials import AUTHN, SECRET
from tests.client.test_javascript import node
from tests.e2e.serving import Served

SIGN = f"""\
import {{ createHmac }} from "node:crypto";
const made = [];
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const sign = (seconds, more = {{}}) => {{
  const text = `${{part({{ alg: "HS256" }})}}.${{part({{ sub: "ßo", exp: Date.now() / 1000 + seconds, ...more }})}}`;
  made.push(`${{text}}.${{createHmac("sha256", {SECRET!r}).update(text).digest("base64url")}}`);
  return made.at(-1);
}};
const seen = [];
const pushes = async (client) => {{ for await (const push of client.pushes()) seen.push(push); }};
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    files = {"eventsources/websocket.yaml": AUTHN, ".env": f"SECRET={SECRET}\n"}
    with service(tmp_path_factory.mktemp("served"), **files) as running:
        yield running


@pytest.mark.node
def test_a_token_is_renewed_before_it_ends(served: Served, tmp_path: Path) -> None:
    """P4.3: by a function, in band; the connection outlives several tokens."""
    node(
        served.port,
        tmp_path,
        f"""{SIGN}
let asked = 0;
const client = await connect({{ token: async () => (asked++, sign(6)) }});
const listening = pushes(client);
assert.equal(await client.call("websocket.slow", {{ s: 13 }}), "finished");
assert.equal(client.connections, 1);
assert.ok(asked > 2, String(asked));
client.close();
await listening;
assert.deepEqual(seen, []);
const before = asked;
await sleep(6000);
assert.equal(asked, before, "a closed client asks for nothing");
""",
    )


@pytest.mark.node
def test_a_wrong_clock_does_not_matter(served: Served, tmp_path: Path) -> None:
    """P4.3: a device an hour ahead renews in time, and does not ask without end; one behind does by `iat`."""
    node(
        served.port,
        tmp_path,
        f"""{SIGN}
const clock = Date.now;
for (const wrong of [3600000, -3600000]) {{
  made.length = 0;
  const token = () => {{
    Date.now = clock;
    try {{ return sign(6, {{ iat: Math.floor(clock() / 1000) }}); }} finally {{ Date.now = () => clock() + wrong; }}
  }};
  const client = await connect({{ token }});
  assert.equal(await client.call("websocket.slow", {{ s: 12 }}), "finished");
  assert.equal(client.connections, 1);
  assert.ok(made.length >= 3 && made.length < 6, String(made.length));
  client.close();
}}
Date.now = clock;
""",
    )


@pytest.mark.node
def test_a_token_that_ended_is_replaced_by_a_fresh_one_on_another_connection(served: Served, tmp_path: Path) -> None:
    """P7.4: 4501; one that cannot be had ends the client; one that was given by hand is renewed by hand."""
    node(
        served.port,
        tmp_path,
        f"""{SIGN}
let has = true;
const left = await connect({{ token: () => {{
  if (!has) throw new Error("please log in");
  has = false;
  return sign(3);
}} }});
await assert.rejects(left.call("websocket.slow", {{ s: 20 }}), /please log in/);
const given = await connect({{ token: sign(2) }});
given.authenticate(sign(60));
Date.now = ((clock) => () => clock() - 7200000)(Date.now);
const slow = await connect({{ token: () => sign(7202) }});
assert.equal(await slow.call("websocket.slow", {{ s: 4 }}, {{ idempotent: true }}), "finished");
assert.ok(slow.connections >= 2, String(slow.connections));
assert.equal(await given.call("websocket.echo", 1), 1);
assert.equal(given.connections, 1);
for (const client of [given, slow]) client.close();
""",
    )


@pytest.mark.node
def test_what_the_token_function_throws_ends_the_client_unless_the_network_failed(
    served: Served, tmp_path: Path
) -> None:
    """What `fetch` throws without a network is a failed attempt; anything else means that nobody is logged in."""
    node(
        served.port,
        tmp_path,
        f"""{SIGN}
const failures = [new TypeError("fetch failed"), new DOMException("late", "TimeoutError"), null];
let asked = 0;
const token = async () => {{
  if (++asked === 1) return sign(60);
  const failure = failures.shift();
  if (failure) throw failure;
  if (failure === undefined) throw new Error("please log in");
  return sign(60);
}};
const client = await connect({{ token }});
await client.call("websocket.closed", {{ code: 4000 }}).catch(() => {{}});
assert.equal(await client.call("websocket.echo", 1), 1);
assert.deepEqual([asked, client.connections], [4, 2]);
await client.call("websocket.closed", {{ code: 4000 }}).catch(() => {{}});
await assert.rejects(client.call("websocket.echo", 1), /please log in/);
const never = async () => {{ throw new TypeError("fetch failed"); }};
await assert.rejects(connect({{ token: never }}), (error) => error instanceof ConnectionLost && error.code === 1006);
""",
    )
