"""The original's JavaScript client, unchanged, in Node.js against a served project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.available import node_modules
from tests.e2e.seed import STREAM_PROJECT, YIELDING_HANDLER, client_for, expected_lines
from tests.e2e.serving import serve, write_project

# Node 20 has no global WebSocket; `ws` has the browser's interface. The client itself is run as it stands.
# The rest only ends the process: after the last frame, or with an error when it does not come.
PREAMBLE = """\
const { createRequire } = require("node:module");
globalThis.WebSocket = createRequire(process.env.MODULES + "/")("ws");
const log = console.log;
console.log = (...args) => {
  log(...args);
  // Not at once: a frame too many would still be printed.
  if (args[0] === "[stream.end]") setTimeout(() => process.exit(0), 200);
};
setTimeout(() => { console.error("no end within 20 s"); process.exit(1); }, 20000);
"""

pytestmark = pytest.mark.node


def run_client(port: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the client against a port and return what it printed."""
    (folder / "preamble.cjs").write_text(PREAMBLE)
    (folder / "client.cjs").write_text(client_for(port))
    return subprocess.run(
        ["node", "--require", "./preamble.cjs", "client.cjs"],
        cwd=folder,
        env={**os.environ, "MODULES": str(node_modules())},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=40,
        check=False,
    )


@pytest.mark.parametrize("handler", ["sends", "yields"])
def test_the_seed_client_prints_a_whole_stream(tmp_path: Path, handler: str) -> None:
    """P3.1: the ten-line client prints start, chunks and end, whether the handler sends them or yields."""
    node_modules()
    files = dict(STREAM_PROJECT)
    if handler == "yields":
        files["src/functions/stream_gemini.py"] = YIELDING_HANDLER
    project = write_project(tmp_path / "project", files)

    with serve(project) as server:
        done = run_client(server.port, tmp_path)

        assert done.stdout.splitlines() == expected_lines(), server.output
    assert (done.returncode, done.stderr) == (0, "")
