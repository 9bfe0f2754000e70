"""The JavaScript client: in Node.js behind a cutting proxy, and in a real browser as it is served."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gsws.client.javascript import FOLDER
from tests.client.support import SEED, Proxy, service
from tests.e2e.available import find_chromium, node_modules
from tests.e2e.chromium import open_page
from tests.e2e.serving import Served

GSWS_JS = FOLDER / "gsws.js"

PREAMBLE = """\
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import * as gsws from "./gsws.mjs";
const WebSocket = createRequire(process.env.MODULES + "/")("ws");
const { RemoteError, Interrupted, ResumeLost, ConnectionLost, AnswerTimeout, ClientClosed } = gsws;
const url = process.env.URL_OF_SERVER;
const backoff = { base: 20, cap: 200, patience: 20000 };
const connect = (options = {}) => gsws.connect(url, { WebSocket, backoff, ...options });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const collect = async (items) => { const all = []; for await (const item of items) all.push(item); return all; };
const late = setTimeout(() => { console.error("not within 150 s"); process.exit(1); }, 150000);
"""
END = "\nclearTimeout(late);\nconsole.log('done');\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service(tmp_path_factory.mktemp("served"), **{"public/index.html": PAGE}) as running:
        yield running


PAGE = """<!doctype html><meta charset="utf-8"><title>client</title><link rel="icon" href="data:,">
<script type="module">
  import { connect } from "/gsws.js";
  const client = await connect(undefined, { clientId: "page" });
  window.client = client;
  let text = "";
  for await (const chunk of client.stream("websocket.count", { to: 5 })) text += chunk.text;
  console.log(text, JSON.stringify(await client.call("websocket.echo", { a: 1 })));
</script>
"""


def node(port: int, folder: Path, script: str) -> str:
    """Run a module with the client; it must end by itself, with nothing open, and say nothing else."""
    modules = node_modules()
    (folder / "gsws.mjs").write_text(GSWS_JS.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test.mjs").write_text(PREAMBLE + script + END, encoding="utf-8")
    done = subprocess.run(
        ["node", "test.mjs"],
        cwd=folder,
        env={**os.environ, "MODULES": str(modules), "URL_OF_SERVER": f"ws://127.0.0.1:{port}/"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=160,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1:] == ["done"]
    return "\n".join(lines[:-1])


@contextmanager
def proxied(port: int, mean: float | None) -> Iterator[tuple[Proxy, Any]]:
    """A proxy in a thread; with a function that runs something on its loop."""
    proxy = Proxy(port, random.Random(SEED))
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        async with proxy.running():
            proxy.mean = mean
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy, loop.call_soon_threadsafe
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()


@pytest.mark.node
def test_calls_streams_and_errors_in_node(served: Served, tmp_path: Path) -> None:
    """P5.3, P6.1, P6.6, P7.1."""
    node(
        served.port,
        tmp_path,
        """
const client = await connect({ clientId: "node" });
assert.equal(client.isConnected, true);
assert.deepEqual(await client.call("websocket.echo", { a: 'é🙂' }), { a: 'é🙂' });
assert.equal(await client.call("websocket.count", { to: 3, s: 0 }), "0 1 2 ");
const frames = await collect(client.stream("websocket.tools").frames());
assert.deepEqual(frames.map((frame) => [frame.seq, frame.eventtype]),
  [[0, "stream.start"], [1, "stream.chunk"], [2, "tool.call"], [3, "stream.chunk"], [4, "stream.end"]]);
await assert.rejects(client.call("websocket.refuse"), (error) => error instanceof RemoteError
  && error.code === 409 && error.message === "not now" && error.data.why === "because" && !error.retryable);
await assert.rejects(client.call("nope"), { error: "unknown_event" });
await assert.rejects(client.call("websocket.strict", {}), (error) => error.errors[0].keyword === "required");
await assert.rejects(client.call("websocket.slow", { s: 20 }, { timeout: 100 }), AnswerTimeout);
await assert.rejects(collect(client.stream("websocket.count", { to: 2, s: 5 }, { timeout: 100 })), AnswerTimeout);

const stream = client.stream("websocket.count", { to: 10000 });
for await (const chunk of stream) if (chunk.text === "3 ") stream.cancel();
assert.equal(stream.reason, "cancelled");
for await (const chunk of client.stream("websocket.count", { to: 10000 })) break;
const aborter = new AbortController();
setTimeout(() => aborter.abort(new Error("enough")), 100);
await assert.rejects(collect(client.stream("websocket.count", { to: 10000 }, { signal: aborter.signal })), /enough/);
await assert.rejects(client.call("websocket.echo", 1, { signal: AbortSignal.abort() }), { name: "AbortError" });
while ((await client.call("websocket.log")).filter((one) => one === "cut short").length < 3) await sleep(20);

const first = assert.rejects(client.call("websocket.once", { to: 10000 }), Interrupted);
await sleep(100);
assert.equal(await client.call("websocket.once", { to: 2 }), "0 1 ");
await first;

await client.call("websocket.join");
const pushes = client.pushes();
for (let n = 0; n < 20; n++) await client.call("websocket.shout", { n });
const got = [];
for await (const push of pushes) if (got.push(push.payload.n) === 20) break;
assert.deepEqual(got, [...Array(20).keys()]);

const open = assert.rejects(client.call("websocket.slow", { s: 20 }), ClientClosed);
const listening = collect(client.pushes());
client.close();
await open;
assert.deepEqual(await listening, []);
await assert.rejects(client.call("websocket.echo"), ClientClosed);
await assert.rejects(gsws.connect("ws://127.0.0.1:9", { WebSocket }), ConnectionLost);
""",
    )


@pytest.mark.node
def test_close_codes_are_obeyed_in_node(served: Served, tmp_path: Path) -> None:
    """P7.4."""
    node(
        served.port,
        tmp_path,
        """
const states = [];
const client = await connect({ onState: (state) => states.push(state) });
await client.call("websocket.closed", { code: 4000 });
assert.equal(await client.call("websocket.echo", 1), 1);
assert.equal(client.connections, 2);
for (const code of [1000, 4409, 4500]) {
  const other = await connect();
  await other.call("websocket.closed", { code }).catch(() => {});
  await assert.rejects(other.call("websocket.slow", { s: 5 }), (error) => error instanceof ConnectionLost
    && error.code === code);
}
client.close();
assert.deepEqual(states, ["connected", "reconnecting", "connected", "closed"]);
""",
    )


@pytest.mark.node
def test_streams_survive_random_cuts_in_node(served: Served, tmp_path: Path) -> None:
    """P8.3: the transcripts of two hundred streams are what an undisturbed client gets."""
    print(f"seed {SEED}")
    with proxied(served.port, None) as (proxy, call):
        call(setattr, proxy, "mean", 30_000)
        printed = node(
            proxy.port,
            tmp_path,
            """
const clients = [];
while (clients.length < 8) await connect().then((client) => clients.push(client), () => {});
await Promise.all([...Array(200).keys()].map(async (number) => {
  const tag = `${number}é-`;
  const payload = { to: 60, tag, s: 0.03 };
  const frames = await collect(clients[number % 8].stream("websocket.count", payload, { idempotent: true }).frames());
  assert.deepEqual(frames.map((frame) => frame.seq), [...Array(62).keys()]);
  assert.deepEqual(frames.slice(1, 61).map((frame) => frame.payload.message),
    [...Array(60).keys()].map((n) => `${tag}${n} `));
}));
console.log(clients.reduce((sum, client) => sum + client.connections, 0));
for (const client of clients) client.close();
""",
        )
        print(f"{proxy.cuts} cuts, {printed} connections")
        assert int(printed) > 20


@pytest.mark.node
def test_streams_are_followed_in_node(served: Served, tmp_path: Path) -> None:
    """P8.8: from the beginning, from a number on, and only for a while."""
    node(
        served.port,
        tmp_path,
        """
const [owner, one, two] = [await connect(), await connect(), await connect()];
const whole = [...Array(100).keys()].map((n) => `é${n} `).join("");
const ask = (more) => owner.stream("websocket.count", { to: 100, tag: "é", s: 0.01, ...more });
const stream = ask();
const share = owner.share();
await sleep(300);
for (let n = 0; n < 5; n++) for await (const chunk of two.follow(share, stream.id)) break;
const left = two.follow(share, stream.id);
assert.throws(() => two.follow(share, stream.id), RangeError);
left.cancel();
assert.equal(await left.text(), "");
const followed = one.follow(share, stream.id);
await sleep(100);
const [text, rest, own] = await Promise.all([followed.text(),
  collect(two.follow(share, stream.id, { after: 5 }).frames()), stream.text()]);
assert.equal(own, whole);
assert.equal(text, whole);
assert.equal(rest.at(-1).seq, 101);
assert.ok(rest.some((frame) => frame.eventtype === "stream.snapshot"));
assert.equal(followed.reason, "complete");

const second = ask();
const stopped = two.follow(share, second.id, { compact: false });
let count = 0;
for await (const chunk of stopped) if (++count === 3) stopped.cancel();
assert.equal(stopped.reason, "cancelled");
assert.equal(await second.text(), whole);
const third = ask({ to: 10000 });
await sleep(100);
const cancelled = assert.rejects(two.follow(share, third.id).text(), Interrupted);
await sleep(100);
third.cancel();
await cancelled;
await third.text();
await assert.rejects(one.follow(share, "never").text(), ResumeLost);
await assert.rejects(one.follow({ ...share, secret: "wrong" }, "x").text(), { error: "forbidden" });
assert.equal(await one.call("websocket.echo", 1), 1);
for (const client of [owner, one, two]) client.close();
""",
    )


@pytest.mark.node
def test_followers_and_compact_resumes_survive_random_cuts_in_node(served: Served, tmp_path: Path) -> None:
    """P8.3, P8.8: the text of each is the whole text, joined by snapshots or not."""
    print(f"seed {SEED}")
    with proxied(served.port, None) as (proxy, call):
        call(setattr, proxy, "mean", 5_000)
        printed = node(
            proxy.port,
            tmp_path,
            """
const clients = [];
const open = () => connect({ compact: clients.length % 2 === 0 }).then((client) => clients.push(client), () => {});
while (clients.length < 6) await open();
const [owner, ...others] = clients;
const whole = [...Array(150).keys()].map((n) => `é${n} `).join("");
for (let round = 0; round < 4; round++) {
  const stream = owner.stream("websocket.count", { to: 150, tag: "é", s: 0.01 }, { idempotent: true });
  await sleep(400);
  const share = owner.share();
  const texts = [stream, ...others.map((other) => other.follow(share, stream.id))].map((one) => one.text());
  assert.deepEqual(await Promise.all(texts), Array(6).fill(whole));
}
console.log(clients.reduce((sum, client) => sum + client.connections, 0));
for (const client of clients) client.close();
""",
        )
        print(f"{proxy.cuts} cuts, {printed} connections")
        assert int(printed) > 12


@pytest.mark.browser
def test_a_page_streams_with_the_served_client(served: Served, tmp_path: Path) -> None:
    """A module that imports `/gsws.js` calls, streams, and goes on after a cut, in a real browser."""
    with open_page(find_chromium()) as page, proxied(served.port, None) as (proxy, call):
        page.navigate(f"http://localhost:{proxy.port}/")
        page.wait(lambda: page.console)
        assert page.console == ['0 1 2 3 4  {"a":1}']
        page.evaluate(
            """window.text = "";
            window.stream = client.stream("websocket.count", { to: 100, s: 0.02 });
            (async () => { for await (const chunk of stream) text += chunk.text; console.log("whole"); })(); 0"""
        )
        page.wait(lambda: page.evaluate("text.length") > 10)
        call(proxy.cut)
        page.wait(lambda: "whole" in page.console)
        assert page.evaluate("text") == "".join(f"{n} " for n in range(100))
        assert page.evaluate("[stream.reason, client.connections]") == ["complete", 2]
        assert page.exceptions == []
        page.evaluate("client.close()")
        page.navigate("about:blank")


def test_the_client_is_served_and_the_projects_own_wins(served: Served, tmp_path: Path) -> None:
    """P1.3: with its type, and with `ETag` like a file of `public/`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{served.port}/gsws.js"
    with opener.open(url, timeout=5) as answer:
        assert answer.read() == GSWS_JS.read_bytes()
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"
    with service(tmp_path, **{"public/gsws.js": "mine"}) as other:
        with opener.open(f"http://127.0.0.1:{other.port}/gsws.js", timeout=5) as answer:
            assert answer.read() == b"mine"


def test_an_id_that_cannot_be_sent_is_refused_at_once(served: Served, tmp_path: Path) -> None:
    """Here, where it was made: no answer could name it."""
    script = r"""
const client = await connect();
for (const id of ["", "x".repeat(65), "\ud800", "a\udfffb", "\udfff\ud800", 7]) {
  await assert.rejects(async () => client.call("websocket.echo", 1, { id }), /1 to 64 characters/);
}
assert.equal(await client.call("websocket.echo", 1, { id: "\u{1f600}" }), 1);
await client.close();
"""
    node(served.port, tmp_path, script)


@pytest.mark.node
def test_an_option_that_is_no_such_is_refused_and_named(served: Served, tmp_path: Path) -> None:
    """A misspelt name, another type and a number out of bounds are told at once, with what is allowed."""
    script = r"""
const refused = async (make, type, message) => {
  const error = await Promise.resolve().then(make).then(() => assert.fail("accepted"), (error) => error);
  assert.equal(error.constructor, type, String(error));
  assert.equal(error.message, message);
};
await refused(() => connect({ timeOut: 5 }), TypeError, '"timeOut" is no option of connect: it takes clientId, token,'
  + " resume, timeout, backoff, openTimeout, compact, buffer, onState, onSession, WebSocket");
await refused(() => connect({ constructor: 5 }), TypeError, '"constructor" is no option of connect: it takes clientId,'
  + " token, resume, timeout, backoff, openTimeout, compact, buffer, onState, onSession, WebSocket");
await refused(() => connect({ token: 5 }), TypeError, '"token" of connect is a string or function or null, not number');
await refused(() => connect({ openTimeout: null }), TypeError, '"openTimeout" of connect is a number, not null');
await refused(() => gsws.connect(url, 5), TypeError, "the options of connect are an object");
await refused(() => connect({ backoff: { wait: 5 } }), TypeError,
  '"wait" is no option of backoff: it takes base, cap, patience');
await refused(() => connect({ backoff: { base: -1 } }), RangeError,
  '"base" of backoff is a number from 0 to Infinity, not -1');
for (const [timeout, shown] of [[-5, "-5"], [NaN, "NaN"], [Infinity, "Infinity"]]) {
  await refused(() => connect({ timeout }), RangeError,
    `"timeout" of connect is a number from 0 to 2147483647, not ${shown}`);
}
const patient = { clientId: undefined, token: null, timeout: null, backoff: { base: 20, patience: Infinity } };
const client = await connect(patient);
await refused(() => client.call("websocket.echo", 1, { timeout: "5" }), TypeError,
  '"timeout" of a request is a number or null, not string');
await refused(() => client.stream("websocket.echo", 1, { idempotency: "k" }), TypeError, '"idempotency" is no option'
  + " of a request: it takes timeout, signal, idempotencyKey, idempotent, id, meta");
await refused(() => client.follow(client.share(), "x", { after: -2 }), RangeError,
  '"after" of follow is a number from -1 to Infinity, not -2');
assert.equal(await client.call("websocket.echo", 1, { timeout: undefined, signal: new AbortController().signal }), 1);
await client.close();
"""
    node(served.port, tmp_path, script)
