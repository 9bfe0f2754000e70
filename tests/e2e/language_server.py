"""A YAML language server as an editor uses it: documents opened, findings and completions asked for, over stdio."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["LanguageServer"]

DEADLINE = 20.0


class LanguageServer:
    """One server process; a context manager."""

    def __init__(self, modules: Path, root: Path) -> None:
        self._root = root
        self._process = subprocess.Popen(
            ["node", str(modules / "yaml-language-server" / "bin" / "yaml-language-server"), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> LanguageServer:
        folder = {"uri": self._root.as_uri(), "name": "app"}
        settings = {"yaml": {"validate": True, "completion": True, "schemaStore": {"enable": False}}}
        self._ask(
            "initialize",
            {"processId": None, "rootUri": folder["uri"], "workspaceFolders": [folder], "capabilities": {}},
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": settings})
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(timeout=DEADLINE)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def findings(self, path: str, text: str) -> list[str]:
        """What is underlined in a file with that text, as ``line: message``."""
        uri = self._open(path, text)
        deadline = time.monotonic() + DEADLINE
        while True:
            message = self._next(deadline)
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                found = message["params"]["diagnostics"]
                return [f"{one['range']['start']['line'] + 1}: {one['message']}" for one in found]

    def completions(self, path: str, text: str, line: int, column: int) -> list[str]:
        """What is offered at a place, both from 0."""
        uri = self._open(path, text)
        position = {"line": line, "character": column}
        answer = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
        return [item["label"] for item in answer["items"]]

    def _open(self, path: str, text: str) -> str:
        uri = (self._root / path).as_uri()
        self._number += 1
        document = {"uri": uri, "languageId": "yaml", "version": self._number, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        number = self._number
        self._write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        deadline = time.monotonic() + DEADLINE
        while True:
            message = self._next(deadline)
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _next(self, deadline: float) -> dict[str, Any]:
        message = self._said.get(timeout=max(0.01, deadline - time.monotonic()))
        if "id" in message and "method" in message:
            # The server asks for settings or registers something: nothing is configured here.
            items = (message.get("params") or {}).get("items") or []
            result = [{"validate": True} if item.get("section") == "yaml" else None for item in items] or None
            self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return message

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            if not length:
                return
            self._said.put(json.loads(stream.read(length)))
