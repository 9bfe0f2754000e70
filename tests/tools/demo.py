"""
`make demo`: the agent template, offline, asked two questions, and left running on a terminal.

Lives here: making the project under `build/demo` if it is not there, starting `gsws serve`, two calls, and a clean end.
Not here: anything that gsws does itself; this script only types the commands that a newcomer would type.
What somebody wrote into the project stays as it is.
"""

from __future__ import annotations

import os
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "build" / "demo"
GSWS = str(Path(sys.executable).with_name("gsws.exe" if os.name == "nt" else "gsws"))
QUESTION = "What is LangGraph and how does it work?"
DOCUMENT = "The Zorblax 9000 coffee machine must be descaled every 40 days with citric acid."
ABOUT_IT = "How often must the Zorblax be descaled?"
PORT = 8000
DEADLINE = 60.0  # seconds for each step
ADDRESS = re.compile(r"\b(?:ws|http)s?://(?:\[[^\]]+\]|[\w.-]+):(\d+)")


def main() -> int:
    """Make the project, serve it, ask it; stay on a terminal, else end with the answer's exit status."""
    stays = sys.stdout.isatty() and not os.environ.get("CI")
    PROJECT.parent.mkdir(parents=True, exist_ok=True)
    show(f"cd {PROJECT.parent.relative_to(ROOT)}")
    if PROJECT.exists():
        print(f"({PROJECT.relative_to(ROOT)} is there already and is served as it is; remove it to begin anew)")
    else:
        if (ROOT / ".git").exists() and shutil.which("git"):
            # A repository of its own, else the demo's workflow is put into this one's `.github/`.
            show(f"git init --quiet {PROJECT.name}")
            subprocess.run(["git", "init", "--quiet", PROJECT.name], cwd=PROJECT.parent, timeout=DEADLINE, check=True)
        show(f"gsws init {PROJECT.name} --template agent")
        init = [GSWS, "init", PROJECT.name, "--template", "agent"]
        if code := subprocess.run(init, cwd=PROJECT.parent, timeout=DEADLINE, check=False).returncode:
            return code

    serve = ["serve", "--port", str(PORT if is_free(PORT) else 0)]
    show(f"cd {PROJECT.name}", " ".join(["gsws", *serve]))
    server = subprocess.Popen(
        [GSWS, *serve],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "AGENT_MODEL": "offline"},
    )
    try:
        return talk(server, stays)
    except KeyboardInterrupt:
        return 0
    finally:
        stop(server)


def talk(server: subprocess.Popen[str], stays: bool) -> int:
    """Wait for the server's address, ask the questions, then stay as long as the server does, if told to."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=pass_on, args=(server, lines), daemon=True).start()
    port = port_in(lines)
    if port is None:
        print("the server did not say where it listens", file=sys.stderr)
        return 1

    code = ask(QUESTION, port)
    document = PROJECT / "documents" / "zorblax.md"
    if not document.exists():
        show(f'echo "{DOCUMENT}" > documents/{document.name}')
        document.parent.mkdir(exist_ok=True)
        document.write_text(DOCUMENT + "\n", encoding="utf-8")
    code = code or ask(ABOUT_IT, port)
    if not stays:
        print(f"\nAnswered; on a terminal http://127.0.0.1:{port}/ would now stay open.", flush=True)
        go_on()
        return code
    print(f"\nOpen http://127.0.0.1:{port}/ in a browser. Ctrl-C stops.")
    print(f"A file saved in {PROJECT.relative_to(ROOT)} is live at once, and stays there for the next `make demo`.")
    go_on()
    return server.wait()


def go_on() -> None:
    """Say how to go on without make: where the command is, and where a key goes."""
    print("\nTo go on by yourself:\n")
    print(f"  source {shlex.quote(str(Path(sys.executable).with_name('activate')))}   # puts `gsws` on the PATH")
    print(f"  cd {shlex.quote(str(PROJECT))}")
    print("  cp .env.example .env                # a GOOGLE_API_KEY in it lets Gemini answer")
    print("  gsws serve", flush=True)


def ask(question: str, port: int) -> int:
    """Type one `gsws call`; returns its exit status."""
    show(f'gsws call websocket.stream message="{question}"')
    call = [GSWS, "call", "websocket.stream", f"message={question}", "--url", f"ws://127.0.0.1:{port}"]
    return subprocess.run(call, cwd=PROJECT, timeout=DEADLINE, check=False).returncode


def pass_on(server: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Print what the server prints and hand each line over; None is its end."""
    assert server.stdout is not None
    for line in server.stdout:
        print(line, end="", flush=True)
        lines.put(line)
    lines.put(None)


def port_in(lines: queue.Queue[str | None]) -> int | None:
    """The port of the first address in the server's output that accepts a connection, or None."""
    end = time.monotonic() + DEADLINE
    while (left := end - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            return None
        if line is None:
            return None
        if (match := ADDRESS.search(line)) and accepts(int(match[1]), min(end, time.monotonic() + 2)):
            wait_quiet(lines)
            return int(match[1])
    return None


def wait_quiet(lines: queue.Queue[str | None]) -> None:
    """Wait until the server has said what it says at its start, so that its lines and ours do not mix."""
    try:
        while lines.get(timeout=0.3) is not None:
            pass
    except queue.Empty:
        return


def accepts(port: int, end: float) -> bool:
    """Whether something accepts connections on a port of this host before `end`."""
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of this host."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def stop(server: subprocess.Popen[str]) -> None:
    """End the server as Ctrl-C would, and by force if it does not listen."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def show(*commands: str) -> None:
    """Print commands as a person would type them."""
    print()
    for command in commands:
        print(f"$ {command}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
