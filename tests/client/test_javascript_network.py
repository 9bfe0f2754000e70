"""The JavaScript client when the device loses its network or sleeps: it asks, and does not wait for heartbeats."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.support import service
from tests.client.test_javascript import node
from tests.e2e.available import find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import Served

SOONER = 15
"""Seconds; the heartbeats alone need at least 35 until they are missed."""

PAGE = """<!doctype html><meta charset="utf-8"><title>client</title><link rel="icon" href="data:,">
<script type="module">
  import { connect } from "/gsws.js";
  window.states = [];
  window.text = "";
  window.client = await connect(undefined, { onState: (state) => states.push(state) });
  window.run = async (to) => {
    for await (const chunk of client.stream("websocket.count", { to, s: 0.05 })) text += chunk.text;
    console.log("whole");
  };
</script>
"""
NODE = """\
let broken = false;
class Breaking extends WebSocket { // connections of a network that breaks silently, and cannot be made then
  constructor(...all) {
    super(...all);
    if (broken) setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 1);
  }
  emit(event, ...all) {
    return broken && event !== "error" ? true : super.emit(event, ...all);
  }
}
const states = [];
const client = await connect({ WebSocket: Breaking, backoff: { base: 20, cap: 50, patience: 400 },
  onState: (state) => states.push(state) });
const until = async (state) => { while (states.at(-1) !== state) await sleep(20); };
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service(tmp_path_factory.mktemp("served"), **{"public/index.html": PAGE}) as running:
        yield running


def offline(page: Page, is_offline: bool) -> None:
    """The developer tools' *Offline*: nothing passes, and no connection is told."""
    page.command(
        "Network.emulateNetworkConditions",
        offline=is_offline,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )


@pytest.mark.browser
def test_a_page_notices_that_the_network_is_gone_and_that_it_is_back(served: Served, tmp_path: Path) -> None:
    """P8.3: `offline` makes it ask, `online` makes it connect at once; the stream is whole."""
    with open_page(find_chromium()) as page:
        page.navigate(f"http://127.0.0.1:{served.port}/")
        page.wait(lambda: page.evaluate("window.client !== undefined"))
        page.evaluate("run(400), 0")
        page.wait(lambda: page.evaluate("text.length") > 10)
        begun = time.monotonic()
        offline(page, True)
        page.wait(lambda: page.evaluate("states.at(-1)") == "reconnecting", SOONER)
        noticed = time.monotonic() - begun
        seen = page.evaluate("text")
        page.wait(lambda: page.exceptions, SOONER)
        begun = time.monotonic()
        offline(page, False)
        page.wait(lambda: page.evaluate("states.at(-1)") == "connected", SOONER)
        print(f"noticed after {noticed:.1f} s, repaired after {time.monotonic() - begun:.1f} s")
        page.wait(lambda: "whole" in page.console, 40)

        whole = "".join(f"{n} " for n in range(400))
        assert page.evaluate("text") == whole
        assert seen != whole
        assert page.evaluate("[states, client.connections]") == [["connected", "reconnecting", "connected"], 2]
        page.evaluate("client.close()")
        page.navigate("about:blank")


@pytest.mark.browser
def test_a_connection_that_stands_is_left_alone(served: Served, tmp_path: Path) -> None:
    """Another network came and went, and the server still answers: the page asks and does not connect again."""
    with open_page(find_chromium()) as page:
        page.navigate(f"http://127.0.0.1:{served.port}/")
        page.wait(lambda: page.evaluate("window.client !== undefined"))
        page.evaluate("dispatchEvent(new Event('offline')), dispatchEvent(new Event('online'))")
        page.wait(lambda: any('"gsws.pong"' in frame for frame in page.received))
        page.evaluate("run(80), 0")
        page.wait(lambda: "whole" in page.console)

        assert page.evaluate("[states, client.connections]") == [["connected"], 1]
        assert sum('"gsws.ping"' in frame for frame in page.sent) == 1, "one question at a time"
        page.evaluate("client.close()")
        page.navigate("about:blank")


@pytest.mark.node
def test_after_a_sleep_the_client_asks_whether_the_connection_still_stands(served: Served, tmp_path: Path) -> None:
    """A gap between two ticks of its clock is a sleep; what is half-open since then is replaced."""
    node(
        served.port,
        tmp_path,
        f"""{NODE}
const clock = Date.now;
const sleepAnHour = () => {{ const before = Date.now; Date.now = () => before() + 3600000; }};
sleepAnHour();
await sleep(9000);
assert.deepEqual(states, ["connected"]); // it stands: asked, and left alone
broken = true;
sleepAnHour();
const begun = clock();
await until("reconnecting");
assert.ok(clock() - begun < {SOONER * 1000}, String(clock() - begun));
broken = false;
await until("connected");
assert.equal(await client.call("websocket.echo", 1), 1);
assert.equal(client.connections, 2);
client.close();
""",
    )


@pytest.mark.node
def test_time_offline_is_no_time_without_success(served: Served, tmp_path: Path) -> None:
    """Offline for longer than its patience, the client comes back; online and refused, it gives up."""
    node(
        served.port,
        tmp_path,
        f"""const navigator = {{ onLine: true }};
Object.defineProperty(globalThis, "navigator", {{ value: navigator, configurable: true }});
{NODE}
await client.call("websocket.closed", {{ code: 4000 }}).catch(() => {{}});
await until("connected");
const cut = async () => {{
  const seen = states.length;
  const asked = client.call("websocket.closed", {{ code: 4000 }}).catch(() => {{}});
  while (states.length === seen) await sleep(1);
  broken = true;
  return asked;
}};
navigator.onLine = false;
const asked = cut();
await until("reconnecting");
await sleep(2000);
assert.equal(states.at(-1), "reconnecting");
broken = false;
await until("connected");
await asked;
navigator.onLine = true;
const last = cut();
await until("closed");
await last;
await assert.rejects(client.call("websocket.echo", 1), ConnectionLost);
""",
    )
