"""Running `gsws` as a person does, and plugins that exist for one test."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pty
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import structlog

from gsws.cli.entry import main
from tests.e2e.preloaded import run

ROOT = Path(__file__).parents[2]


class Ran:
    """What a command did: exit code and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "VIRTUAL_ENV")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **extra}


def gsws(*arguments: str, cwd: Path, python: str = sys.executable, stdin: str | None = None, **extra: str) -> Ran:
    """Run one command to its end; forked, unless another Python or what an interpreter reads at its start matters."""
    if python == sys.executable and not any(name.startswith(("PYTHON", "LANG", "LC_")) for name in extra):
        done = run(arguments, cwd, environment(**extra), given=stdin)
    else:
        done = subprocess.run(
            [python, "-m", "gsws", *arguments],
            cwd=cwd,
            env=environment(**extra),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=120,
        )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in ran.err, ran
    return ran


def inside(*arguments: str, cwd: Path) -> Ran:
    """The same in this process, for the many cases that end before anything is started."""
    out, err = io.StringIO(), io.StringIO()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    log = logging.getLogger("gsws")
    logs, level, propagate, structured = log.handlers[:], log.level, log.propagate, structlog.get_config()
    try:
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        log.handlers[:], log.level, log.propagate = logs, level, propagate
        structlog.configure(**structured)
    return Ran(code, out.getvalue(), err.getvalue())


def on_terminal(*arguments: str, cwd: Path, columns: int = 80, typed: str = "", **extra: str) -> str:
    """What a person sees who types ``typed``: everything that reaches a terminal of that width."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", *arguments],
        cwd=cwd, env=environment(TERM="xterm-256color", COLUMNS=str(columns), **extra),
        stdin=secondary, stdout=secondary, stderr=secondary,
    )  # fmt: skip
    os.close(secondary)
    os.write(primary, typed.encode())
    seen = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(primary)
    process.wait(timeout=30)
    return seen.decode().replace("\r\n", "\n")


def plugin_files(type: str, module: str, *, distribution: str | None = None, version: str = "0.3.0") -> dict[str, str]:
    """The files of an installed package that gives the plugin ``type``."""
    name = distribution or f"gsws-plugin-{type}"
    package = name.replace("-", "_")
    info = f"{package}-{version}.dist-info"
    return {
        f"{package}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[gsws.plugins]\n{type} = {package}:plugin\n",
        f"{info}/RECORD": "",
    }


def install_plugin(site: Path, type: str, module: str, **facts: str) -> None:
    """Put a plugin's package into a folder that goes on PYTHONPATH."""
    for name, text in plugin_files(type, module, **facts).items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build_wheel(folder: Path, type: str, module: str, **facts: str) -> Path:
    """A wheel that pip installs from ``--find-links``."""
    files = plugin_files(type, module, **facts)
    info = next(name for name in files if name.endswith("/RECORD"))
    files[info] = "".join(f"{name},,\n" for name in files)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{info.partition('.dist-info')[0]}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


PLUGIN = """
class Source:
    def subscribe(self, event, handle): pass
    async def start(self): pass
    async def stop(self): pass
    def health(self): pass

class Plugin:
    type = "{type}"
    source_type = "{source_type}"
    config_file_name = "{type}"
    default_config = {{"every": "1s"}}
    config_schema = {{
        "type": "object",
        "properties": {{
            "type": {{"const": "{type}"}},
            "every": {{"type": "string", "description": "time between two"}},
        }},
        "additionalProperties": False,
    }}
    def create(self, config, context): return Source()

plugin = Plugin()
"""


def plugin_module(type: str, source_type: str = "eventsource") -> str:
    return PLUGIN.format(type=type, source_type=source_type)
