"""
A headless Chromium, driven by its DevTools protocol over a WebSocket.

Lives here: starting the browser, opening a page, its console, evaluation, screenshots, and what a person does: keys,
compositions, clicks on what has a role and a name. Not here: tests. No driver package is needed.
"""

from __future__ import annotations

import atexit
import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["Page", "open_page"]

# Without the background ones, Chromium looks up hosts of its maker at every start.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
    "--window-size=1100,800",
)

# Key -> (its virtual code, the character that it writes).
KEYS = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "Backspace": (8, ""), "Delete": (46, ""), "Home": (36, ""),
    "End": (35, ""), "ArrowLeft": (37, ""), "ArrowUp": (38, ""), "ArrowRight": (39, ""), "ArrowDown": (40, ""),
}  # fmt: skip
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


class Refused(AssertionError):
    """The browser does not do what it was told: what a command is about is not there, most often."""


class Page:
    """
    One tab: what its console and network said, and what a person could do with it.

    `sent` and `received` are the messages of its WebSockets, in order, control frames left out.
    """

    def __init__(self, connection: ClientConnection, context: str) -> None:
        self._connection = connection
        self._context = context
        self._ids = itertools.count(1)
        self.console: list[str] = []
        self.exceptions: list[str] = []
        self.requested: list[str] = []
        self.sent: list[str] = []
        self.received: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one DevTools command and return its result; events on the way are recorded."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._receive(20)
            if message.get("id") == number:
                if "error" in message:
                    raise Refused(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, promises awaited."""
        answer = self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def navigate(self, url: str) -> None:
        """Load a URL."""
        answer = self.command("Page.navigate", url=url)
        assert not answer.get("errorText"), answer

    def wait(self, condition: Callable[[], Any], seconds: float = 20) -> Any:
        """Handle events until a condition is true and return its value; AssertionError at the deadline."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s; console: {self.console}, {self.exceptions}")
            try:
                self._receive(0.05)
            except TimeoutError:
                continue
        return value

    def press(self, keys: str) -> None:
        """Press a key as a keyboard does, wherever the focus is: `Enter`, `a`, `Shift+Tab`, `Control+z`."""
        *held, key = keys.split("+") if len(keys) > 1 else [keys]
        modifiers = sum(MODIFIERS[name] for name in held)
        code, text = KEYS.get(key) or (ord(key.upper()) if key.isascii() and key.isalnum() else 0, key)
        facts: dict[str, Any] = {"key": key, "code": key if key in KEYS else "", "windowsVirtualKeyCode": code}
        if text and not modifiers & ~MODIFIERS["Shift"]:
            facts["text"] = text
        self.command("Input.dispatchKeyEvent", type="keyDown", modifiers=modifiers, **facts)
        facts.pop("text", None)
        self.command("Input.dispatchKeyEvent", type="keyUp", modifiers=modifiers, **facts)

    def type(self, text: str) -> None:
        """Press the key of each character, wherever the focus is."""
        for character in text:
            self.press("Shift+Enter" if character == "\n" else character)

    def nodes(self, role: str) -> list[tuple[str, int]]:
        """What has a role, in the order of the page: its name, as assistive technology has it, and its DOM node."""
        found = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            (str(node.get("name", {}).get("value", "")).strip(), int(node["backendDOMNodeId"]))
            for node in found
            if not node.get("ignored") and node.get("role", {}).get("value") == role and "backendDOMNodeId" in node
        ]

    def find(self, role: str, name: str = "") -> int | None:
        """The first DOM node with a role whose name matches a pattern from its beginning, or None."""
        return next((node for said, node in self.nodes(role) if re.match(name, said)), None)

    def click(self, role: str, name: str = "") -> None:
        """Click with the mouse on the first that has a role and a name; AssertionError if there is none in time."""
        quad = self.wait(lambda: self._place(role, name), 5)
        at = {"x": (quad[0] + quad[4]) / 2, "y": (quad[1] + quad[5]) / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, **at)

    def says(self, role: str, name: str = "") -> str:
        """The text of the first that has a role and a name; empty if there is none."""
        node = self.find(role, name)
        if node is None:
            return ""
        script = "function () { return this.innerText ?? this.textContent; }"
        try:
            thing = self.command("DOM.resolveNode", backendNodeId=node)["object"]["objectId"]
        except Refused:  # the page has put another in its place
            return self.says(role, name)
        answer = self.command("Runtime.callFunctionOn", objectId=thing, functionDeclaration=script, returnByValue=True)
        return str(answer["result"].get("value", ""))

    def _place(self, role: str, name: str) -> list[float] | None:
        """Where on the screen the first is that has a role and a name; None if it went while it was looked for."""
        node = self.find(role, name)
        if node is None:
            return None
        try:
            self.command("DOM.scrollIntoViewIfNeeded", backendNodeId=node)
            quads: list[list[float]] = self.command("DOM.getContentQuads", backendNodeId=node)["quads"]
        except Refused:
            return None
        return quads[0] if quads else None

    @property
    def focused(self) -> str:
        """Role and name of what has the focus, as assistive technology has them."""
        for node in self.command("Accessibility.getFullAXTree")["nodes"]:
            facts = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
            role = node.get("role", {}).get("value")
            if facts.get("focused") and role != "RootWebArea":
                return f"{role} {node.get('name', {}).get('value', '')}".strip()
        return ""

    def screenshot(self, path: Path) -> Path:
        """Save what the tab shows as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))
        return path

    @contextmanager
    def another(self) -> Iterator[Page]:
        """Open another tab of the same browser, with the same storage, and leave it at the end of the block."""
        created = self.command("Target.createTarget", url="about:blank", browserContextId=self._context)
        port = self._connection.remote_address[1]
        with _connect(port, f"/devtools/page/{created['targetId']}") as connection:
            yield Page(connection, self._context)

    def _receive(self, seconds: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=seconds))
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                arguments = message["params"]["args"]
                self.console.append(" ".join(str(a.get("value", a.get("description"))) for a in arguments))
            case "Runtime.exceptionThrown":
                self.exceptions.append(json.dumps(message["params"]["exceptionDetails"]))
            case "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error":
                    self.exceptions.append(f"{entry['text']} {entry.get('url', '')}")
            case "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(message["params"]["url"])
            case "Network.webSocketFrameSent":
                self.sent.append(message["params"]["response"]["payloadData"])
            case "Network.webSocketFrameReceived":
                self.received.append(message["params"]["response"]["payloadData"])
        return message


@contextmanager
def open_page(browser: str) -> Iterator[Page]:
    """Yield a tab that shares nothing with those before it: no storage, no cache. The browser is started once."""
    port, path = _running(browser)
    with _connect(port, path) as control:
        numbers = itertools.count(1)

        def command(method: str, **parameters: Any) -> dict[str, Any]:
            number = next(numbers)
            control.send(json.dumps({"id": number, "method": method, "params": parameters}))
            while (answer := json.loads(control.recv(timeout=20))).get("id") != number:
                pass
            assert "error" not in answer, answer
            result: dict[str, Any] = answer["result"]
            return result

        context = command("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        target = command("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        with _connect(port, f"/devtools/page/{target}") as connection:
            yield Page(connection, context)
        command("Target.disposeBrowserContext", browserContextId=context)


def _connect(port: int, path: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None, proxy=None)


_browsers: dict[str, tuple[subprocess.Popen[bytes], int, str]] = {}


def _running(browser: str) -> tuple[int, str]:
    """The port and the path of the browser of this process, which ends with it."""
    if browser not in _browsers or _browsers[browser][0].poll() is not None:
        profile = Path(tempfile.mkdtemp(prefix="gsws-browser-"))
        process = subprocess.Popen(
            [browser, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )
        atexit.register(_end, process, profile)
        _browsers[browser] = (process, *_devtools(process, profile / "DevToolsActivePort"))
    _, port, path = _browsers[browser]
    return port, path


def _end(process: subprocess.Popen[bytes], profile: Path) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    shutil.rmtree(profile, ignore_errors=True)


def _devtools(process: subprocess.Popen[bytes], file: Path) -> tuple[int, str]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        if file.is_file() and len(lines := file.read_text().splitlines()) == 2:
            return int(lines[0]), lines[1]
        time.sleep(0.05)
    raise AssertionError("the browser did not start within 60 s")
