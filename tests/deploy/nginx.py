"""
A real nginx on a free port of the loopback, with the configuration that the deployment page shows.

Lives here: the page's blocks, what a test replaces in them, starting, reloading and ending nginx; every wait has a
deadline. Not here: tests.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import DOCS, blocks
from tests.e2e.available import missing

__all__ = ["Nginx", "documented", "free_port", "nginx", "site"]

PAGE = DOCS / "how-to" / "deploy-behind-a-proxy.md"
DEADLINE = 15.0
PATHS = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx")

# What a distribution's nginx.conf does around a site, in a folder of the test's own and with nothing privileged.
MAIN = """\
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
daemon off;
worker_processes 1;
{top}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


class Nginx:
    """A running nginx: its port, its logs, and a reload."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self.process = process
        self.port = port
        self._folder = folder

    @property
    def errors(self) -> str:
        """The error log so far."""
        return _read(self._folder / "error.log")

    @property
    def requests(self) -> str:
        """The access log so far; a WebSocket is there when it has ended."""
        return _read(self._folder / "access.log")

    def started(self) -> int:
        """How many workers were started so far."""
        return self.errors.count("start worker process ")

    def ended(self) -> int:
        """How many workers have ended so far."""
        return len(re.findall(r"worker process \d+ exited with code 0", self.errors))

    def reload(self) -> None:
        """What `nginx -s reload` does; returns when a new worker serves and the old one takes nothing new."""
        workers, leaving = self.started(), self.errors.count("gracefully shutting down")
        self.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.started() > workers and self.errors.count("gracefully shutting down") > leaving)

    def wait(self, condition: Callable[[], object], seconds: float = DEADLINE) -> None:
        """Wait until something is true; AssertionError with the error log at the deadline."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"nginx ended with {self.process.returncode}:\n{self.errors}"
            assert time.monotonic() < end, f"not within {seconds} s:\n{self.errors}"
            time.sleep(0.02)


def documented(*words: str) -> str:
    """The page's only nginx block with all these words in it."""
    (block,) = (
        block.text for block in blocks(PAGE) if block.language == "nginx" and all(word in block.text for word in words)
    )
    return block


def site(text: str, replaced: Mapping[str, str]) -> str:
    """A documented block with a test's own values; what is to be replaced must be there."""
    for old, new in replaced.items():
        assert old in text, f"{old!r} is not in\n{text}"
        text = text.replace(old, new)
    return text


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, text: str, port: int, *, top: str = "events {}") -> Iterator[Nginx]:
    """
    Run nginx with one site until the block ends.

    Args:
        folder: Where its files are; made here.
        text: What stands in ``http``.
        port: Where the site listens; waited for.
        top: What stands at the top of ``nginx.conf``.
    """
    path = os.environ.get("PATH", "") + os.pathsep + os.pathsep.join(str(Path(one).parent) for one in PATHS)
    program = shutil.which("nginx", path=path)
    if program is None:
        missing("nginx is not installed")
        raise AssertionError("unreachable")
    folder.mkdir(parents=True)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(user=user, folder=folder, top=top, site=text), encoding="utf-8")
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert tested.returncode == 0, tested.stderr
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    running = Nginx(process, folder, port)
    try:
        running.wait(lambda: _listens(port))
        yield running
        assert "[emerg]" not in running.errors
    finally:
        process.terminate()  # at once, unlike SIGQUIT
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
