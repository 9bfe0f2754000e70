"""
The Autobahn test suite against the echo server: finding it, running it, reading its results.

The suite runs on CPython 2.7. It is looked for in this order: the program named by ``GSWS_WSTEST``; ``wstest`` on PATH;
a copy in the cache (``~/.cache/gsws/autobahn``), installed there when a CPython 2.7 is at hand, e.g. from pyenv.

``python -m tests.conformance.autobahn`` runs the fast groups, with ``--all`` also 9 (limits and performance), 12 and 13
(compression), which take about 13 minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ALL_GROUPS", "FAST_GROUPS", "CaseResult", "SuiteMissing", "find_suite", "run_suite"]

FAST_GROUPS = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
ALL_GROUPS = (*FAST_GROUPS, "9.*", "12.*", "13.*")

_ROOT = Path(__file__).resolve().parents[2]
_REQUIREMENT = "autobahntestsuite==25.10.1"
_RUN = """\
import site, sys
site.addsitedir(sys.argv.pop(1))
sys.argv[0] = "wstest"
from autobahntestsuite.wstest import run
sys.exit(run())
"""


class SuiteMissing(Exception):
    """The suite is not here and cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """
    What the suite says of one case.

    Attributes:
        case: Number of the case, e.g. ``7.1.5``.
        behavior: ``OK``, ``NON-STRICT``, ``INFORMATIONAL``, ``FAILED``, ...
        behavior_close: The same about how the connection was closed.
    """

    case: str
    behavior: str
    behavior_close: str

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong; informational cases have no right or wrong."""
        accepted = ("OK", "INFORMATIONAL")
        return self.behavior in accepted and self.behavior_close in accepted


def find_suite() -> list[str]:
    """
    Find or install the suite.

    Returns:
        The command that runs ``wstest``.

    Raises:
        SuiteMissing: If there is none, and no CPython 2.7 to install it with.
    """
    named = os.environ.get("GSWS_WSTEST")
    if named:
        if shutil.which(named) is None:
            raise SuiteMissing(f"GSWS_WSTEST names `{named}`, which cannot be run")
        return [named]
    on_path = shutil.which("wstest")
    if on_path is not None:
        return [on_path]
    python = _python27()
    if python is None:
        raise SuiteMissing("the Autobahn suite needs CPython 2.7 (`pyenv install 2.7.18`) or GSWS_WSTEST")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gsws" / "autobahn"
    if not cache.is_dir():
        _install(python, cache)
    return [python, "-c", _RUN, str(cache)]


def run_suite(suite: list[str], groups: tuple[str, ...], loop: str, timeout: float) -> list[CaseResult]:
    """
    Run the suite against an echo server of its own.

    Args:
        suite: What `find_suite` returned.
        groups: Patterns of cases, e.g. ``7.*``.
        loop: ``uvloop`` or ``asyncio``.
        timeout: Seconds for all of it.
    """
    with tempfile.TemporaryDirectory(prefix="gsws-autobahn-") as folder, _echo_server(loop) as port:
        specification = {
            "outdir": folder,
            "servers": [{"agent": "gsws", "url": f"ws://127.0.0.1:{port}"}],
            "cases": list(groups),
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        Path(folder, "suite.json").write_text(json.dumps(specification), encoding="utf-8")
        process = subprocess.run(
            [*suite, "-m", "fuzzingclient", "-s", str(Path(folder, "suite.json"))],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        report = Path(folder, "index.json")
        if not report.exists():
            raise AssertionError(f"the suite wrote no report:\n{process.stdout[-2000:]}")
        cases = json.loads(report.read_text(encoding="utf-8"))["gsws"]
    return [CaseResult(case, facts["behavior"], facts["behaviorClose"]) for case, facts in sorted(cases.items())]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the Autobahn suite against the transport.")
    parser.add_argument("--all", action="store_true", help="also the slow groups 9, 12 and 13")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("groups", nargs="*", help="cases, e.g. 7.*")
    arguments = parser.parse_args()
    groups = tuple(arguments.groups) or (ALL_GROUPS if arguments.all else FAST_GROUPS)
    try:
        suite = find_suite()
    except SuiteMissing as missing:
        print(missing, file=sys.stderr)
        return 4
    began = time.monotonic()
    results = run_suite(suite, groups, arguments.loop, timeout=3600)
    for result in results:
        if not result.passed:
            print(f"{result.case}: {result.behavior}, close {result.behavior_close}")
    failed = sum(not result.passed for result in results)
    print(f"{len(results)} cases, {failed} not passed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _python27() -> str | None:
    candidates = [shutil.which("python2.7")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += [str(path) for path in sorted(pyenv.glob("2.7*/bin/python2.7"), reverse=True)]
    for candidate in candidates:
        if candidate is None:
            continue
        # A shim of pyenv stands on PATH for versions that are not selected.
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(
                [candidate, "-c", "import pip, sys; print(sys.version_info[:2])"],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            if answer.stdout.strip() == "(2, 7)":
                return candidate
    return None


def _install(python: str, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="autobahn-", dir=cache.parent))
    try:
        answer = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--target", str(folder), _REQUIREMENT],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
        )  # fmt: skip
        if answer.returncode:
            last = (answer.stdout.strip().splitlines() or ["no output"])[-1]
            raise SuiteMissing(f"the Autobahn suite could not be installed: {last}")
        with contextlib.suppress(OSError):  # another run was faster
            folder.rename(cache)
    except subprocess.TimeoutExpired:
        raise SuiteMissing("installing the Autobahn suite took longer than ten minutes") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _echo_server(loop: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.echo_server", "--port", "0", "--loop", loop],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    assert process.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
