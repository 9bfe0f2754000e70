"""Exit codes and manners that every command shares."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gsws.__about__ import __version__
from tests.cli.support import environment, gsws, inside, on_terminal

HEAVY = [
    "langgraph",
    "langchain_google_genai",
    "google.genai",
    "fastapi",
    "websockets",
    "jsonschema",
    "pydantic",
    "watchfiles",
]


def imported(tmp_path: Path, *arguments: str) -> list[str]:
    """Which of the heavy packages a command imports."""
    code = (
        "import sys\nfrom gsws.cli.entry import main\n"
        f"code = main({list(arguments)!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    return json.loads(done.stderr.strip().splitlines()[-1].replace("'", '"'))


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("serve", "--help"), ("plugin", "--help")])
def test_help_imports_nothing_heavy(tmp_path, arguments):
    assert [name for name in imported(tmp_path, *arguments) if name != "pydantic"] == []


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_top_help_imports_no_pydantic_either(tmp_path, option):
    """typer takes it to look at a command's own arguments, which `gsws --help` has none of."""
    assert imported(tmp_path, option) == []


def test_validate_imports_no_agent_library(starter):
    assert not {"langgraph", "langchain_google_genai", "google.genai", "fastapi", "websockets", "watchfiles"} & set(
        imported(starter, "validate")
    )


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(tmp_path, option):
    ran = gsws(option, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, f"gsws {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("-h",), ("call", "--help"), ("plugin", "-h"), ("plugin", "add", "-h")]
)
def test_help_goes_to_stdout(tmp_path, arguments):
    ran = gsws(*arguments, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Usage: gsws")
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("arguments", [(), ("plugin",), ("new",)])
def test_no_command_shows_help_as_a_usage_error(tmp_path, arguments):
    ran = gsws(*arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "Commands:" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plgin",), "error: no command `plgin`\n  help: did you mean `plugin`?\n"),
        (("plugin", "lst"), "error: no command `lst` of `gsws plugin`\n  help: did you mean `list`?\n"),
        (("xyzzy",), "error: no command `xyzzy`\n  help: `gsws --help` shows what it takes\n"),
        (("serve", "--prot", "1"), "error: no option `--prot` of `gsws serve`\n  help: did you mean `--port`?\n"),
        (("serve", "--port", "x"), "error: invalid value for '--port'"),
        (("serve", "--port"), "error: option '--port' requires an argument"),
        (("init", "--template", "startr"), "error: no template `startr`\n  help: did you mean `starter`?\n"),
        (("init", "--template", "xyzzy"), "error: no template `xyzzy`\n  help: there are `starter`, `agent`, `bare`\n"),
        (("new", "event"), "error: missing argument 'NAME'"),
        (("validate", "--format", "fll"), "error: no format `fll`\n  help: did you mean `full`?\n"),
        (("completion", "bsh"), "error: no completion for the shell `bsh`\n  help: did you mean `bash`?\n"),
        (("init", "a", "b"), "error: got unexpected extra argument"),
    ],
)
def test_usage_errors(tmp_path, arguments, says):
    ran = inside(*arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(says), ran
    assert list(tmp_path.iterdir()) == []


def test_usage_error_as_json(tmp_path):
    ran = gsws("plugin", "lst", "--json", cwd=tmp_path)
    assert ran.code == 2
    assert ran.json == {"ok": False, "error": "no command `lst` of `gsws plugin`", "help": "did you mean `list`?"}


@pytest.mark.parametrize(
    "arguments",
    [("events",), ("new", "event", "x"), ("plugin", "add", "websocket"), ("call", "a.b"), ("plugin", "remove", "x")],
)
def test_outside_a_project(tmp_path, arguments):
    ran = inside(*arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: no gsws project here or above\n  help: `gsws init .` makes one\n"


def test_working_directory_that_is_gone(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir "$PWD"; exec "{sys.executable}" -m gsws events'],
        cwd=gone, env=environment(PYTHONPATH=os.getcwd()), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: the working directory does not exist any more\n"


def test_a_bug_is_one_line_and_a_file(tmp_path):
    code = (
        "import sys\nfrom gsws.cli import entry\nfrom gsws.cli.commands import init\n"
        "def fail(*_, **__): raise ZeroDivisionError('oh\\nno')\ninit.run = fail\nsys.exit(entry.main(['init']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == "error: a bug in gsws: ZeroDivisionError: oh no"
    (report,) = tmp_path.glob("gsws-bug-*.txt")
    assert second == f"  help: the details are in {report}; please report them"
    assert "Traceback" in report.read_text()


def test_closed_pipe_is_quiet(starter):
    """`gsws events | head -1` says nothing on stderr, whatever the size of the output."""
    events = "".join(f'"websocket.e{number}": {{fn: greet}}\n' for number in range(3000))
    (starter / "events/many.yaml").write_text(events)
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m gsws events | head -1'],
        cwd=starter, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("EVENT\t")
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", ["events", "events --json", "plugin info websocket", "--help"])
def test_a_reader_that_had_enough_is_no_failure(starter, arguments):
    """With `set -o pipefail`, `gsws events | head -1` must not fail."""
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m gsws {arguments} | true; echo ${{PIPESTATUS[0]}}'],
        cwd=starter, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_line(starter):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gsws", "events"],
            cwd=starter,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\n"


def test_stdout_that_knows_ascii_alone(starter):
    (starter / "events/more.yaml").write_text('"websocket.grüße": {fn: greet}\n', "utf-8")
    ran = gsws("events", cwd=starter, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert "websocket.gr\\xfc\\xdfe" in ran.out


def test_colour_on_a_terminal_only(starter):
    assert "\x1b[" in on_terminal("plugin", "nothing", cwd=starter)
    assert "\x1b[" not in on_terminal("plugin", "nothing", cwd=starter, NO_COLOR="1")
    assert "\x1b[" not in on_terminal("events", cwd=starter, NO_COLOR="1")
    assert "\x1b[" in gsws("plugin", "nothing", cwd=starter, FORCE_COLOR="1").err
    assert "\x1b[" not in gsws("plugin", "nothing", cwd=starter, FORCE_COLOR="1", NO_COLOR="1").err


def test_narrow_terminal(starter):
    lines = on_terminal("events", cwd=starter, columns=60, NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= 60


def test_names_with_escapes_do_not_reach_the_terminal(tmp_path):
    ran = gsws("\x1b[31mred", cwd=tmp_path)
    assert "\x1b" not in ran.err
    ran = gsws("call", "a\x1b]0;title\x07.b", cwd=tmp_path)
    assert "\x1b" not in ran.err


def test_interrupt_is_quiet(starter):
    """Ctrl-C while a command waits: no trace, and not a success."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", "call", "websocket.greet", "-f", "-"],
        cwd=starter, env=environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_completion_script(tmp_path, shell):
    ran = inside("completion", shell, cwd=tmp_path)
    assert ran.code == 0
    assert "_GSWS_COMPLETE" in ran.out


def test_completion_completes(tmp_path):
    ran = gsws(cwd=tmp_path, _GSWS_COMPLETE="complete_bash", COMP_WORDS="gsws pl", COMP_CWORD="1")
    assert (ran.code, ran.out) == (0, "plugin\n")


def test_what_the_system_refuses_is_not_blamed_on_the_output(tmp_path):
    """Too many open files, say, is neither a traceback nor a full disk."""
    program = (
        "import errno, os, sys\nfrom gsws.cli import entry\nfrom gsws.cli.commands import init\n"
        "def fail(*_, **__): raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))\n"
        "init.run = fail\nsys.exit(entry.main(['init']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (1, "error: the operating system refused: Too many open files\n")


@pytest.mark.parametrize(
    ("words", "help"),
    [
        (["dev"], "use `gsws serve`"),
        (["Run"], "use `gsws serve`"),
        (["start"], "use `gsws serve`"),
        (["create", "x"], "use `gsws init`"),
        (["lint"], "use `gsws validate`"),
        (["plugin", "install", "cron"], "use `gsws plugin add`"),
        (["keys", "delete", "x"], "use `gsws keys revoke`"),
        (["new", "handler", "x"], "use `gsws new function`"),
        (["test"], "`pytest` runs a project's tests; `gsws validate` checks its files"),
        (["explain", "GS201"], "use `gsws validate --explain GS201`"),
        (["Explain", "gs504"], "use `gsws validate --explain GS504`"),
        (["explain"], "use `gsws validate --explain CODE`"),
        (["status"], "there is none; a served project answers `GET /readyz` with whether it takes messages"),
        (["logs", "-f"], "there is none; `gsws serve` writes them where it runs"),
        (["doctor"], "there is none; `gsws validate` checks the project, `gsws --version` tells what is installed"),
        (["serve", "-p", "9000"], "write `--port PORT`"),
        (["serve", "--reload"], "it reloads by itself in development; `--no-reload` switches that off"),
        (["serve", "--prod"], "write `--env production`"),
        (["serv"], "did you mean `serve`?"),
    ],
)
def test_words_of_other_tools_lead_to_ours(tmp_path, words, help):
    ran = inside(*words, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.rstrip().endswith(f"help: {help}")


def test_every_word_that_is_proposed_exists(tmp_path):
    """A command that is named instead of another one shows its own help."""
    from gsws.cli.suggest import _ELSEWHERE

    for group, words in _ELSEWHERE.items():
        for found in set(words.values()):
            command = [*group.split()[1:], *[word for word in found.split() if not word.startswith("-")]]
            assert inside(*command, "--help", cwd=tmp_path).code == 0, command


def test_help_and_version_are_words_too(tmp_path):
    assert inside("version", cwd=tmp_path).out == inside("--version", cwd=tmp_path).out
    assert inside("help", cwd=tmp_path).out == inside("--help", cwd=tmp_path).out
    assert inside("help", "keys", "add", cwd=tmp_path).out == inside("keys", "add", "--help", cwd=tmp_path).out
