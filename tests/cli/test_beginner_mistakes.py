"""
What people do wrong on their first day, each answered with place, reason and repair.

A mistake is a starter project with one thing changed. The answer is one finding of at most eight lines (or one error of
two lines) with the right exit code, and where it prints a command, that command as it stands repairs.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.support import gsws, inside

EVENT = "events/greet.yaml"
SOURCE = "eventsources/websocket.yaml"
HANDLER = "functions/greet.py"
STREAM = "events/stream.yaml"


@dataclass
class Mistake:
    """
    Attributes:
        name: What was done.
        do: Does it to the project.
        code: The finding that answers, or the beginning of the error.
        place: Path and line of the answer, empty for none.
        says: A text of the answer that names the reason.
        repair: A text of the answer that names the repair.
        exit: The exit code.
        fixed: Whether `--fix` repairs it as well.
        command: What is run.
        where: From where.
    """

    name: str
    do: Callable[[Path], object]
    code: str
    place: str
    says: str
    repair: str
    exit: int = 1
    fixed: bool = False
    command: str = "validate --format full"
    where: str = "."


def swap(path: str, old: str, new: str) -> Callable[[Path], object]:
    def do(root: Path) -> None:
        text = (root / path).read_text("utf-8")
        assert old in text, (path, old)
        (root / path).write_text(text.replace(old, new, 1), "utf-8")

    return do


def event(old: str, new: str) -> Callable[[Path], object]:
    return swap(EVENT, old, new)


def source(old: str, new: str) -> Callable[[Path], object]:
    return swap(SOURCE, old, new)


def write(path: str, text: str | bytes) -> Callable[[Path], object]:
    def do(root: Path) -> None:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(text.encode() if isinstance(text, str) else text)

    return do


def move(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / old).rename(root / new)


def handler(text: str) -> Callable[[Path], object]:
    return write(HANDLER, text)


def nothing(root: Path) -> None:
    return None


SUMMARY = "summary: Greet somebody"
NAME = "name: {type: string, minLength: 1, maxLength: 100}"

MISTAKES = [
    # Text that is no YAML
    Mistake("a tab indents", event("  fn", "\tfn"), "GS101", f"{EVENT}:4", "a tab", "indent with spaces"),
    Mistake(
        "a comment with two slashes",
        event('"websocket', '// says hello\n"websocket'),
        "GS101",
        f"{EVENT}:3",
        "`//` starts no comment",
        "a comment starts with `#`",
        fixed=True,
    ),
    Mistake(
        "a comment with two slashes behind a value",
        event("fn: greet", "fn: greet // answers"),
        "GS201",
        f"{EVENT}:4",
        "`//` starts no comment",
        "write `greet  # …`",
    ),
    Mistake("a missing colon", event("fn: greet", "fn greet"), "GS101", f"{EVENT}:4", "neither", "write `key: value`"),
    Mistake(
        "no space after the colon",
        event("fn: greet", "fn:greet"),
        "GS101",
        f"{EVENT}:4",
        "neither",
        "with a space after the colon",
    ),
    Mistake(
        "a space too many", event("  fn", "   fn"), "GS101", f"{EVENT}:4", "not indented like", "start in one column"
    ),
    Mistake("no indentation", event("  fn", "fn"), "GS101", f"{EVENT}:4", "not indented like", "start in one column"),
    Mistake(
        "a quote never closed",
        event("Greet somebody", '"Greet somebody'),
        "GS101",
        f"{EVENT}:",
        "the quoted text never ends",
        "add the closing quote",
    ),
    Mistake(
        "a key's quote never closed",
        event('greet":', "greet:"),
        "GS101",
        f"{EVENT}:",
        "the quoted text never ends",
        "add the closing quote",
    ),
    Mistake(
        "a bracket never closed",
        event("[name]", "[name"),
        "GS101",
        f"{EVENT}:",
        "expected `,` or `]`",
        "close the list",
    ),
    Mistake(
        "a brace never closed",
        event("maxLength: 100}", "maxLength: 100"),
        "GS101",
        f"{EVENT}:",
        "expected `,` or `}`",
        "close the mapping",
    ),
    Mistake(
        "a colon in a text",
        event(SUMMARY, "summary: Note: greets"),
        "GS101",
        f"{EVENT}:5",
        "a `:` cannot stand here",
        "quote a value that contains `: `",
    ),
    Mistake(
        "a text with an at sign",
        event(SUMMARY, "summary: @greet"),
        "GS101",
        f"{EVENT}:5",
        "`@` cannot start",
        "quote the value",
    ),
    Mistake(
        "a key twice",
        event("  fn: greet\n", "  fn: greet\n  fn: greet\n"),
        "GS102",
        f"{EVENT}:5",
        "stands twice",
        "keep one of the two",
    ),
    Mistake(
        "two documents in a file",
        lambda root: (root / EVENT).write_text((root / EVENT).read_text() * 2 + "---\na: 1\n"),
        "GS105",
        f"{EVENT}:",
        "a second document",
        "put it into a file of its own",
    ),
    Mistake(
        "a word that was a boolean once",
        event(SUMMARY, "summary: yes"),
        "GS103",
        f"{EVENT}:5",
        "other YAML readers take `yes` for a boolean",
        "quote it",
        exit=0,
        fixed=True,
    ),
    Mistake(
        "another encoding",
        write(EVENT, b"# caf\xe9\n"),
        "GS004",
        f"{EVENT}:1",
        "not UTF-8 at byte 5",
        "save the file as UTF-8",
    ),
    Mistake("UTF-16", write(EVENT, "a: 1".encode("utf-16")), "GS004", f"{EVENT}:1", "UTF-16", "save the file as UTF-8"),
    Mistake(
        "a byte-order mark",
        lambda root: (root / EVENT).write_bytes(b"\xef\xbb\xbf" + (root / EVENT).read_bytes()),
        "GS004",
        f"{EVENT}:1",
        "a byte-order mark",
        "without a byte-order mark",
        fixed=True,
    ),
    # Functions
    Mistake(
        "a misspelt function",
        event("fn: greet", "fn: gret"),
        "GS201",
        f"{EVENT}:4",
        "no function `gret`",
        "did you mean `greet`?",
        fixed=True,
    ),
    Mistake(
        "a function in capitals",
        event("fn: greet", "fn: Greet"),
        "GS201",
        f"{EVENT}:4",
        "no function `Greet`",
        "did you mean `greet`?",
        fixed=True,
    ),
    Mistake(
        "a function with .py",
        event("fn: greet", "fn: greet.py"),
        "GS201",
        f"{EVENT}:4",
        "no function `py`",
        "it defines `greet`",
    ),
    Mistake(
        "a path as function",
        event("fn: greet", "fn: functions/greet.py"),
        "GS201",
        f"{EVENT}:4",
        "is a path",
        "write `greet`",
    ),
    Mistake(
        "a function with its folder",
        event("fn: greet", "fn: functions.greet"),
        "GS201",
        f"{EVENT}:4",
        "no function",
        "did you mean `greet`?",
    ),
    Mistake(
        "a call as function",
        event("fn: greet", "fn: greet()"),
        "GS201",
        f"{EVENT}:4",
        "no function `greet()`",
        "did you mean `greet`?",
    ),
    Mistake(
        "no function", event("  fn: greet\n", ""), "GS304", f"{EVENT}:3", "lacks the required key `fn`", "add `fn: …`"
    ),
    Mistake(
        "a list of functions",
        event("fn: greet", "fn: [greet]"),
        "GS306",
        f"{EVENT}:4",
        "found a list",
        "write `greet` without the brackets",
    ),
    Mistake(
        "a renamed file",
        move(HANDLER, "functions/welcome.py"),
        "GS201",
        f"{EVENT}:4",
        "no function `greet`",
        "`gsws new function greet`",
    ),
    Mistake(
        "two functions to choose from",
        handler("async def a(payload): ...\nasync def b(payload): ...\n"),
        "GS202",
        f"{EVENT}:4",
        "defines several functions",
        "name one of them `greet`",
    ),
    Mistake(
        "a file without a function",
        handler("x = 1\n"),
        "GS202",
        f"{EVENT}:4",
        "defines no public function",
        "define `async def greet(ctx)`",
    ),
    Mistake(
        "a colon forgotten in Python",
        handler("async def greet(payload)\n    return {}\n"),
        "GS205",
        f"{HANDLER}:1",
        "expected ':'",
        "^ ",
    ),
    Mistake(
        "no indentation in Python",
        handler("async def greet(payload):\nreturn {}\n"),
        "GS205",
        f"{HANDLER}:2",
        "expected an indented block",
        "here",
    ),
    Mistake(
        "an unknown parameter",
        handler("async def greet(payload, database): ...\n"),
        "GS204",
        f"{HANDLER}:1",
        "nothing can be given for `database`",
        "a handler takes `ctx` first",
    ),
    Mistake(
        "a misspelt parameter",
        handler("async def greet(ctx, payloud): ...\n"),
        "GS204",
        f"{HANDLER}:1",
        "nothing can be given for `payloud`",
        "did you mean `payload`?",
    ),
    Mistake(
        "sleeping in an async function",
        handler("import time\n\n\nasync def greet(payload):\n    time.sleep(1)\n"),
        "GS208",
        f"{HANDLER}:5",
        "blocks every connection",
        "await asyncio.sleep",
        exit=0,
    ),
    Mistake(
        "a function in JavaScript",
        move(HANDLER, "functions/greet.js"),
        "GS201",
        f"{EVENT}:4",
        "no function",
        "handlers are Python",
    ),
    Mistake(
        "a helper named like a module",
        write("json.py", "x = 1\n"),
        "GS210",
        "json.py:1",
        "standard library",
        "rename it",
    ),
    Mistake(
        "a package that is not installed",
        handler("import nosuchpackage\n\n\nasync def greet(payload): ...\n"),
        "GS214",
        f"{HANDLER}:1",
        "nosuchpackage",
        "install",
        command="serve --port 0",
    ),
    # Event keys and sources
    Mistake(
        "an event without a source",
        event('"websocket.greet"', "greet"),
        "GS302",
        f"{EVENT}:3",
        "is not `source.name`",
        "write `websocket.greet`",
    ),
    Mistake(
        "a misspelt source",
        event('"websocket.', '"websockets.'),
        "GS303",
        f"{EVENT}:3",
        "no event source `websockets`",
        "did you mean `websocket`?",
    ),
    Mistake(
        "a source that is not there",
        event('"websocket.', '"http.'),
        "GS303",
        f"{EVENT}:3",
        "no event source `http`",
        "no plugin `http` comes with gsws",
    ),
    Mistake(
        "a name of the protocol",
        event('"websocket.greet"', '"stream.end"'),
        "GS308",
        f"{EVENT}:3",
        "belongs to the protocol",
        "choose another name",
    ),
    Mistake(
        "an event twice",
        lambda root: (root / "events/again.yaml").write_text((root / EVENT).read_text()),
        "GS301",
        f"{EVENT}:3",
        "is declared twice",
        "rename or remove one",
    ),
    Mistake(
        "a list of events",
        write(EVENT, "- websocket.greet: {fn: greet}\n"),
        "GS306",
        f"{EVENT}:1",
        "is a mapping of events",
        'write `"websocket.name"',
    ),
    Mistake(
        "no source at all",
        lambda root: (root / SOURCE).unlink(),
        "GS303",
        f"{EVENT}:3",
        "no event source `websocket`",
        "`gsws plugin add websocket`",
    ),
    Mistake(
        "a plugin that is not installed",
        write("eventsources/kafka.yaml", "type: kafka\n"),
        "GS701",
        "eventsources/kafka.yaml:1",
        "not installed",
        "no plugin `kafka` comes with gsws",
    ),
    Mistake(
        "a misspelt type",
        source("type: websocket", "type: websockt"),
        "GS601",
        f"{SOURCE}:3",
        "unknown eventsource type",
        "did you mean `websocket`?",
        fixed=True,
    ),
    Mistake(
        "no type",
        source("type: websocket\n", ""),
        "GS304",
        f"{SOURCE}:",
        "lacks the required key `type`",
        "add `type: websocket`",
    ),
    Mistake(
        "a misspelt key of the source",
        source("port:", "prot:"),
        "GS305",
        f"{SOURCE}:5",
        "unknown key `prot`",
        "did you mean `port`?",
        fixed=True,
    ),
    Mistake(
        "a port in words",
        source("port: 8000", "port: eight"),
        "GS306",
        f"{SOURCE}:5",
        "found `eight`",
        "expected a port number",
    ),
    Mistake(
        "a port in quotes",
        source("port: 8000", 'port: "8000"'),
        "GS306",
        f"{SOURCE}:5",
        "must be a port number",
        "leave the quotes out: `8000`",
    ),
    Mistake(
        "a port that is too high",
        source("port: 8000", "port: 80000"),
        "GS602",
        f"{SOURCE}:5",
        "out of range",
        "0 to 65535",
    ),
    Mistake(
        "two sources on one port",
        lambda root: (root / "eventsources/chat.yaml").write_text((root / SOURCE).read_text()),
        "GS602",
        f"{SOURCE}:5",
        "both listen on port 8000",
        "give one of them another port",
    ),
    Mistake(
        "one origin, not a list",
        source("# origins: [https://app.example.com]", "origins: https://a.example"),
        "GS306",
        f"{SOURCE}:",
        "must be a list",
        "write `[https://a.example]`",
    ),
    Mistake(
        "open to everybody", source("127.0.0.1", "0.0.0.0"), "GS603", f"{SOURCE}:4", "no `authn`", "add `authn`", exit=0
    ),
    # Variables
    Mistake(
        "a variable that is not set",
        source("8000", "${NO_SUCH_PORT}"),
        "GS501",
        f"{SOURCE}:5",
        "is not set",
        "`${NO_SUCH_PORT:-default}`",
    ),
    Mistake(
        "a variable of the wrong type",
        source("8000", "${NO_SUCH_PORT:-abc}"),
        "GS506",
        f"{SOURCE}:5",
        "what was looked up is text",
        "looked up",
    ),
    Mistake(
        "a brace never closed in a variable",
        source("8000", "${NO_SUCH_PORT"),
        "GS502",
        f"{SOURCE}:5",
        "malformed look-up",
        "close it with `}`",
    ),
    Mistake(
        "a variable as in a shell",
        source("8000", "$NO_SUCH_PORT"),
        "GS306",
        f"{SOURCE}:5",
        "must be a port number",
        "write `${NO_SUCH_PORT}`",
    ),
    # Keys, values and schemas
    Mistake(
        "a misspelt key",
        event("summary", "sumary"),
        "GS305",
        f"{EVENT}:5",
        "unknown key `sumary`",
        "did you mean `summary`?",
        fixed=True,
    ),
    Mistake(
        "a key in camel case",
        event(SUMMARY, "onDisconnect: cancel"),
        "GS305",
        f"{EVENT}:5",
        "unknown key",
        "did you mean `on_disconnect`?",
        fixed=True,
    ),
    Mistake(
        "a duration in words",
        event(SUMMARY, "timeout: 30 secs"),
        "GS306",
        f"{EVENT}:5",
        "must be a duration",
        "`1m30s`",
    ),
    Mistake(
        "a misspelt choice",
        event(SUMMARY, "concurrency: paralel"),
        "GS307",
        f"{EVENT}:5",
        "must be one of",
        "did you mean `parallel`?",
        fixed=True,
    ),
    Mistake(
        "a misspelt schema type",
        event("type: object", "type: objct"),
        "GS401",
        f"{EVENT}:7",
        "must be one of",
        "did you mean `object`?",
    ),
    Mistake(
        "a misspelt schema keyword",
        event("minLength", "minLenght"),
        "GS402",
        f"{EVENT}:10",
        "unknown schema keyword",
        "did you mean `minLength`?",
        fixed=True,
    ),
    Mistake(
        "a misspelt required name",
        event("[name]", "[nmae]"),
        "GS403",
        f"{EVENT}:8",
        "`required` names `nmae`",
        "did you mean `name`?",
    ),
    Mistake(
        "required inside a property",
        event("minLength: 1", "required: true"),
        "GS401",
        f"{EVENT}:10",
        "must be a list of names",
        "list the required names",
    ),
    Mistake(
        "a type in place of a schema",
        event("name: {type: string, minLength: 1, maxLength: 100}", "name: string"),
        "GS401",
        f"{EVENT}:10",
        "`name` under `properties` must be a schema",
        "write `name: {type: string}`",
    ),
    Mistake(
        "names without `properties`",
        event("    properties:\n      name: {type: string, minLength: 1, maxLength: 100}\n", "    name: string\n"),
        "GS402",
        f"{EVENT}:9",
        "unknown schema keyword `name`",
        "stand under `properties`",
    ),
    Mistake(
        "limits the wrong way round",
        event("minLength: 1,", "minLength: 900,"),
        "GS410",
        f"{EVENT}:10",
        "so no value fits",
        "swap the two",
    ),
    Mistake(
        "a regex that is none",
        event("minLength: 1", 'pattern: "[a-z"'),
        "GS408",
        f"{EVENT}:10",
        "no regular expression",
        "a literal `[` is written `\\[`",
    ),
    Mistake(
        "a definition that is not there",
        event(NAME, 'name: {$ref: "#/definitions/user/Name"}'),
        "GS404",
        f"{EVENT}:10",
        "leads nowhere",
        "definitions/FILE.yaml",
    ),
    Mistake(
        "the payload's schema as the message's",
        event("  payload:", "  schema:"),
        "GS412",
        f"{EVENT}:8",
        "describes the payload",
        "write `payload:`",
    ),
    Mistake("both schemas", event(SUMMARY, "schema: {type: object}"), "GS310", f"{EVENT}:6", "both say", "keep one"),
    Mistake(
        "a misspelt setting",
        swap("gsws.yaml", "name:", "nmae:"),
        "GS305",
        "gsws.yaml:2",
        "unknown key `nmae`",
        "did you mean `name`?",
        fixed=True,
    ),
    # Folders and files
    Mistake("another folder", nothing, "GS001", "", "not a gsws project", "`gsws init .`", where=".."),
    Mistake(
        "a folder inside",
        event("fn: greet", "fn: gret"),
        "GS201",
        f"{EVENT}:4",
        "no function",
        "did you mean `greet`?",
        where="events",
    ),
    Mistake(
        "an event beside the folder",
        move(EVENT, "greet.yaml"),
        "GS008",
        "greet.yaml:1",
        "event files stand under `events/`",
        "`mv greet.yaml events/greet.yaml`",
        exit=0,
    ),
    Mistake(
        "a folder in the singular",
        move("functions", "function"),
        "GS008",
        "",
        "the folder's name is `functions`",
        "`mv function functions`",
    ),
    Mistake(
        "settings in a .yml",
        move("gsws.yaml", "gsws.yml"),
        "GS008",
        "gsws.yml:1",
        "settings stand in `gsws.yaml`",
        "`mv gsws.yml gsws.yaml`",
        exit=0,
    ),
    Mistake(
        "an event in a .txt",
        move(EVENT, f"{EVENT}.txt"),
        "GS008",
        f"{EVENT}.txt:1",
        "only `.yaml` and `.yml` are read",
        f"`mv {EVENT}.txt {EVENT}`",
        exit=0,
    ),
    Mistake(
        "no events",
        lambda root: [path.unlink() for path in (root / "events").iterdir()],
        "GS005",
        "",
        "no events",
        "`gsws new event websocket.chat`",
        exit=0,
    ),
    # The command line
    Mistake(
        "a misspelt command", nothing, "error", "", "no command `serv`", "did you mean `serve`?", exit=2, command="serv"
    ),
    Mistake(
        "a misspelt option",
        nothing,
        "error",
        "",
        "no option `--fromat`",
        "did you mean `--format`?",
        exit=2,
        command="validate --fromat full",
    ),
    Mistake(
        "a misspelt format",
        nothing,
        "error",
        "",
        "no format `ful`",
        "did you mean `full`?",
        exit=2,
        command="validate --format ful",
    ),
    Mistake(
        "a file that is not there",
        nothing,
        "error",
        "",
        "no file or folder `events/gret.yaml`",
        "",
        exit=2,
        command="validate events/gret.yaml",
    ),
    Mistake(
        "serving nothing", nothing, "error", "", "no gsws project here", "`gsws init .`", command="serve", where=".."
    ),
    Mistake(
        "calling before serving",
        nothing,
        "error",
        "",
        "nothing is listening",
        "start it with `gsws serve`",
        command="call websocket.greet name=Ann --url ws://127.0.0.1:PORT",
    ),
    Mistake(
        "making a project twice", nothing, "error", "", "not overwriting", "choose another directory", command="init ."
    ),
]


def test_there_are_sixty():
    assert len(MISTAKES) >= 60
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)


def answer(ran, code: str) -> str:
    """The finding of that code, or the error, without colours."""
    if code == "error":
        return ran.err.strip()
    found = [block for block in re.split(r"\n\n+", ran.out + ran.err) if f"[{code}]" in block.split("\n")[0]]
    assert found, f"no {code} in:\n{ran}"
    return found[0].strip("\n")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_answered(mistake, starter):
    mistake.do(starter)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        command = mistake.command.replace("PORT", str(probe.getsockname()[1]))
    run = gsws if command.startswith("serve --port") else inside
    ran = run(*shlex.split(command), cwd=(starter / mistake.where).resolve())

    assert ran.code == mistake.exit, ran
    told = answer(ran, mistake.code)
    assert len(told.splitlines()) <= 8, told
    assert mistake.says in told, told
    assert mistake.repair in told, told
    if mistake.place:
        assert f"--> {mistake.place}" in told, told


@pytest.mark.parametrize("mistake", [one for one in MISTAKES if one.fixed], ids=lambda mistake: mistake.name)
def test_a_repair_repairs(mistake, starter):
    """`gsws validate --fix` leaves nothing to complain about."""
    mistake.do(starter)
    ran = inside("validate", "--fix", "--fail-level", "warning", cwd=starter)
    assert ran.code == 0, ran
    assert "fixed " in ran.err


PRINTED = [one for one in MISTAKES if re.match(r"`(mv|gsws) ", one.repair) and "http" not in one.repair]


@pytest.mark.parametrize(
    "mistake",
    [one for one in PRINTED if "kafka" not in one.repair and one.exit != 2],
    ids=lambda mistake: mistake.name,
)
def test_a_printed_command_repairs(mistake, starter, tmp_path):
    """What stands between backticks is run as it stands; the finding is gone then."""
    mistake.do(starter)
    where = (starter / mistake.where).resolve()
    if mistake.where == "..":
        where = tmp_path / "empty"
        where.mkdir()
    command = re.search(
        r"`((?:mv|gsws) [^`]+)`", answer(inside(*shlex.split(mistake.command), cwd=where), mistake.code)
    )
    assert command is not None
    words = shlex.split(command[1])
    if words[0] == "gsws":
        done = inside(*words[1:], cwd=where)
        assert done.code == 0, done
    else:
        subprocess.run(words, cwd=where, check=True, timeout=30)
    ran = inside("validate", "--json", cwd=where)
    assert mistake.code not in {one["code"] for one in ran.json["diagnostics"]}
    assert ran.code == 0, ran


def test_a_port_in_use_is_told(starter):
    """`serve` binds nothing it cannot have, and says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = gsws("serve", "--port", str(port), cwd=starter)
    assert ran.code == 1
    told = [line for line in ran.err.splitlines() if line.startswith(("error", "  help"))]
    assert str(port) in told[0]
    assert "in use" in told[0]
    assert len(told) == 2


@pytest.mark.parametrize(("value", "says"), [("1e300", "is too large"), ("-1", "must not be negative")])
def test_a_duration_out_of_range_tells_the_side(starter, value, says):
    (starter / "events" / "more.yaml").write_text(f"websocket.more:\n  fn: greet\n  timeout: {value}\n")
    assert says in inside("validate", cwd=starter).out
