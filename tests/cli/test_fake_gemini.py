"""`gsws fake-gemini`: what it prints, what it answers, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gsws.testing import FakeGemini
from tests.cli.support import environment, inside

ENV = re.compile(r"export (GOOGLE_\w+)=(\S+)\n")


class Running:
    """A stand-in in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], env: dict[str, str]) -> None:
        self.process, self.env = process, env

    def ask(self, text: str, key: str | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"{self.env['GOOGLE_GEMINI_BASE_URL']}/v1beta/models/gemini-flash-latest:streamGenerateContent?alt=sse",
            json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]}).encode(),
            {"x-goog-api-key": key or self.env["GOOGLE_API_KEY"], "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        assert "Traceback" not in err, err
        return self.process.returncode, err


@contextmanager
def running(*arguments: str, cwd: Path, **extra: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", "fake-gemini", "--port", "0", "--delay", "0", *arguments],
        cwd=cwd, env=environment(**extra), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        lines = process.stdout.readline() + process.stdout.readline()
        yield Running(process, dict(ENV.findall(lines)))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_set_logs_each_request_and_ends_well(tmp_path, number):
    with running(cwd=tmp_path) as gemini:
        assert set(gemini.env) == {"GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"}
        status, body = gemini.ask("what is tea?")
        assert (status, "no" in body) == (200, True)
        assert gemini.ask("x", key="wrong")[0] == 400
        code, err = gemini.end(number)

    assert code == 0
    assert re.search(
        r"\d\d:\d\d:\d\d 200 streamGenerateContent gemini-flash-latest · \d+ tokens · .* · “what is tea\?”", err
    )
    assert "INVALID_ARGUMENT: API key not valid." in err
    assert "wrong" not in err


def test_a_stop_while_it_answers_ends_it(tmp_path):
    (tmp_path / "script.yaml").write_text("- {text: a b, stall_after: 0}\n")
    with running("--script", "script.yaml", cwd=tmp_path) as gemini:
        with ThreadPoolExecutor() as pool:
            asking = pool.submit(gemini.ask, "hi")
            with pytest.raises(TimeoutError):
                asking.result(0.5)
            assert gemini.end()[0] == 0
            with pytest.raises(OSError):
                asking.result(10)


def test_it_answers_from_a_script(tmp_path):
    (tmp_path / "script.yaml").write_text("- Scripted.\n- error: 503\n")
    with running("--script", "script.yaml", cwd=tmp_path) as gemini:
        assert '"Scripted."' in gemini.ask("hi")[1]
        assert gemini.ask("hi")[0] == 503
        assert gemini.end()[0] == 0


def test_every_key_can_be_taken(tmp_path):
    with running("--any-key", cwd=tmp_path) as gemini:
        assert gemini.ask("hi", key="mine")[0] == 200


def test_it_records_and_replays(tmp_path):
    with FakeGemini("Recorded.", key="the-real-key") as upstream:
        arguments = ("--record", "it.json", "--upstream", upstream.url)
        with running(*arguments, cwd=tmp_path, GOOGLE_API_KEY="the-real-key") as gemini:
            assert gemini.env["GOOGLE_API_KEY"] == "fake-key"
            assert '"Recorded."' in gemini.ask("hi")[1]
            assert gemini.end()[0] == 0
    assert "the-real-key" not in (tmp_path / "it.json").read_text()
    with running("--replay", "it.json", cwd=tmp_path) as gemini:
        assert '"Recorded."' in gemini.ask("hi")[1]
        assert gemini.ask("something else")[0] == 400
        code, err = gemini.end()
    assert code == 0
    assert '+            "text": "something else"' in err


def test_without_a_key_to_record_with_it_asks_for_one(tmp_path):
    with running("--record", "it.json", cwd=tmp_path, GOOGLE_API_KEY="", GEMINI_API_KEY="") as gemini:
        assert gemini.env["GOOGLE_API_KEY"] == "your-key"
        assert gemini.end()[0] == 0
    assert not (tmp_path / "it.json").exists()


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with FakeGemini() as taken:
        ran = inside("fake-gemini", "--port", taken.url.rpartition(":")[2], cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(r"error: cannot listen on 127.0.0.1 port \d+: .*in use.*\n  help: `--port 0` .*\n", ran.err)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--port", "70000"), 2, "`70000` is no port; expected 0 to 65535"),
        (("--delay", "-1"), 2, "`--delay` is 0 to 60 seconds a token"),
        (("--script", "a.yaml", "--replay", "b.json"), 2, "`--script` and `--replay` exclude each other"),
        (("--upstream", "http://x"), 2, "`--upstream` is for `--record`"),
        (("--record", "x.json", "--upstream", "x"), 2, "`x` is no URL"),
        (("--script", "nothing.yaml"), 1, "cannot read `nothing.yaml`: No such file or directory"),
        (("--replay", "bad.yaml"), 1, "`bad.yaml` is no JSON"),
        (("--script", "bad.yaml"), 1, "bad.yaml:1: turn 1: a turn has no `txt`; did you mean `text`?"),
        (("--host", "no.such.host.invalid"), 1, "cannot listen on no.such.host.invalid port 8089"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, arguments, code, message):
    (tmp_path / "bad.yaml").write_text("- txt: hi\n")
    ran = inside("fake-gemini", *arguments, cwd=tmp_path)
    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("module", "arguments"), [("h11", ()), ("httpx", ("--record", "x.json"))])
def test_without_the_extra_it_says_what_to_install(tmp_path, module, arguments):
    """Exit 4: something is missing on this machine."""
    script = f"import sys; sys.modules[{module!r}] = None; from gsws.cli.entry import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "fake-gemini", *arguments],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert f'needs `{module}`: pip install "gsws[testing]"' in done.stderr
