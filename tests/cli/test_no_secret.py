"""Nothing that `validate` and `serve` print holds a value of the environment or a line of `.env`."""

from __future__ import annotations

import contextlib
import io
import itertools
import json

import pytest

from gsws.cli.commands.validate import FORMATS, print_findings
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA
from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.project.settings import SETTINGS_SHAPE
from gsws.project.shapes.eventshape import EVENT
from tests.cli.support import gsws, inside

TOKEN = "Rv6secretOf7Tests2pL"
NUMBER = "90817263"
VALUES = {
    "CI_TOKEN": TOKEN,
    "CI_NUMBER": NUMBER,
    "CI_BROKEN": f"({TOKEN}",
    "CI_ADDRESS": f"https://ann:pW5xQ9@example.invalid/{TOKEN}",
    "CI_TEXT": f'x"{TOKEN}"\\ ü',
}
SCHEMA_KEYS = (
    "$ref", "$schema", "$id", "$anchor", "$dynamicRef", "type", "format", "pattern", "enum", "const", "default",
    "examples", "required", "properties", "patternProperties", "additionalProperties", "minimum", "maxLength", "items",
    "allOf", "if", "not", "dependentRequired", "contentMediaType", "title", "nullable", "discriminator", "multipleOf",
)  # fmt: skip
SHAPES = ("{0}", "[{0}, {0}]", "{{a: {0}}}", "[{{a: {0}}}]")


def schema_places():
    """Each value in a keyword of a payload's schema, well placed and not: the text of a file, and its path."""
    for key, shape in itertools.product(SCHEMA_KEYS, SHAPES):
        events = []
        for number, name in enumerate(VALUES):
            value = shape.format(f"'${{{name}}}'")
            events.append(
                f"websocket.x{number}:\n  fn: greet\n  payload:\n    type: object\n    properties:\n"
                f"      p: {{type: integer, '{key}': {value}}}\n      q: {{'{key}': {value}}}\n"
            )
        yield "".join(events), "events/x.yaml"


def event_places():
    for key, shape in itertools.product(EVENT["properties"], SHAPES[:3]):
        rest = "" if key == "fn" else "fn: greet, "
        values = [shape.format(f"'${{{name}}}'") for name in VALUES]
        yield (
            "".join(f"websocket.x{number}: {{{rest}'{key}': {value}}}\n" for number, value in enumerate(values)),
            "events/x.yaml",
        )


def source_places():
    for key, shape, name in itertools.product(CONFIG_SCHEMA["properties"], SHAPES[:3], VALUES):
        head = "" if key == "type" else "type: websocket\n"
        value = shape.format(f"'${{{name}}}'")
        yield f"{head}{key}: {value}\n", "eventsources/websocket.yaml"


def settings_places():
    for key, shape, name in itertools.product(SETTINGS_SHAPE["properties"], SHAPES[:3], VALUES):
        value = shape.format(f"'${{{name}}}'")
        yield f"{key}: {value}\n", "gsws.yaml"


def datasource_places():
    for key, name in itertools.product(("type", "fn", "model", "folder", "url"), VALUES):
        head = "" if key == "type" else "type: chat_model\n"
        yield f"{head}{key}: '${{{name}}}'\n", "datasources/d.yaml"


def leaked(text: str) -> list[str]:
    return [one for one in (TOKEN, TOKEN[:8], NUMBER, f"{int(NUMBER):,}", "pW5xQ9") if one.lower() in text.lower()]


@pytest.fixture
def project(starter, monkeypatch):
    (starter / "events/stream.yaml").unlink()
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    return starter


@pytest.mark.parametrize(
    ("places", "least"),
    [(schema_places, 80), (event_places, 40), (source_places, 100), (settings_places, 60), (datasource_places, 20)],
)
def test_no_place_of_a_project_prints_a_value(project, places, least):
    """Hundreds of places, each with a value that fits it badly, in every format."""
    bad, count = [], 0
    for text, path in places():
        file = project / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        loaded = load_project(project, plugins=facts(), notes=True, env="production")
        count += bool(loaded.findings)
        for format in FORMATS:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                print_findings(loaded.findings, loaded, format)
            if leaked(out.getvalue()):
                bad.append((text, format, [line for line in out.getvalue().splitlines() if leaked(line)][:1]))
                break
    print(count, "places")
    assert count >= least, "the places are wrong enough to be talked about"
    assert not bad, bad[:10]


@pytest.mark.parametrize(
    "text",
    [
        f"A=1\n{TOKEN} is no pair\nB=2\n",
        f'KEY="{TOKEN}\nB=2\n',
        f"KEY=-----BEGIN PRIVATE KEY-----\nMIIE{TOKEN}\n-----END PRIVATE KEY-----\n",
        f"KEY='abc' {TOKEN}\n",
        f"KEY={TOKEN}\xe9\n".encode("latin-1"),
        f"KEY={TOKEN}\n",
    ],
    ids=["line", "quote", "pem", "rest", "latin-1", "readable"],
)
@pytest.mark.parametrize("format", FORMATS)
def test_no_line_of_dotenv_is_shown(project, text, format):
    """Whatever is wrong with it, and whether others may read it."""
    file = project / ".env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o644)
    ran = inside("validate", "--format", format, cwd=project)
    assert ".env" in ran.out
    assert not leaked(ran.out + ran.err), ran


def test_a_value_written_by_escapes_is_known_all_the_same(project):
    """YAML may spell the dollar sign in a way that no search of the text would find."""
    (project / "events/x.yaml").write_text('websocket.x: {fn: "\\x24{CI_TOKEN}"}\n')
    ran = inside("validate", cwd=project)
    assert "GS201 what `${CI_TOKEN}` stands for" in ran.out
    assert not leaked(ran.out)


def test_values_of_config_and_mappings_are_known(project):
    for folder in ("config", "mappings"):
        (project / folder).mkdir()
    (project / "config/default.yaml").write_text("a: {b: '${CI_TOKEN}'}\n")
    (project / "mappings/m.yaml").write_text("- <% config.a.b %>\n")
    (project / "events/x.yaml").write_text("websocket.x: {fn: <% mappings.m.0 %>, timeout: <% config.a.b %>}\n")
    ran = inside("validate", "--format", "json", cwd=project)
    assert {"GS201", "GS506"} <= {one["code"] for one in ran.json["diagnostics"]}
    assert not leaked(ran.out)


@pytest.mark.parametrize("name", [".env", ".env.example"])
def test_dotenv_may_be_no_link_out_of_the_project(project, tmp_path, name):
    """A change to a project must not choose which file of the machine is read."""
    (tmp_path / "credentials").write_text(f"elsewhere = {TOKEN}\nonly_there=1\n")
    (project / name).unlink(missing_ok=True)
    (project / name).symlink_to(tmp_path / "credentials")
    ran = inside("validate", "--format", "full", cwd=project)
    assert "only_there" not in ran.out
    assert not leaked(ran.out + ran.err), ran
    if name == ".env":
        assert "GS110" in ran.out


@pytest.mark.parametrize("hidden", [".env", ".git/config", ".ssh/id"])
@pytest.mark.parametrize("name", ["events/x.yaml", "config/default.yaml", "functions/x.py", "definitions/x.yaml"])
def test_a_link_to_a_hidden_file_is_not_followed(project, hidden, name):
    """The checkout's own `.git/config` holds the token that fetched it."""
    (project / hidden).parent.mkdir(exist_ok=True)
    (project / hidden).write_text(f"[http]\n\textraheader = {TOKEN}: {TOKEN}\n")
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).symlink_to(project / hidden)
    ran = inside("validate", "--format", "full", cwd=project)
    assert not leaked(ran.out + ran.err), ran


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_serve_logs_no_secret_of_a_driver(project, log_format):
    """What a datasource raises at the start may quote the whole address."""
    (project / ".env").write_text(f"DATABASE_URL=postgres://ann:pW5xQ9@db.invalid/{TOKEN}\nPORT=0\n")
    (project / ".env").chmod(0o600)
    (project / "datasources").mkdir()
    (project / "datasources/db.yaml").write_text("fn: opened\nurl: ${DATABASE_URL}\n")
    (project / "functions/opened.py").write_text(
        "import sys, structlog\n"
        "def opened(config):\n"
        "    url = str(dict(config))\n"
        "    structlog.get_logger('mine').warning('opening', url=url)\n"
        "    raise RuntimeError('cannot connect to ' + url)\n"
    )
    (project / "eventsources/websocket.yaml").write_text("type: websocket\nport: ${PORT}\n")
    ran = gsws("serve", "--log-format", log_format, cwd=project, **{**VALUES, "CI_TOKEN": ""})
    assert ran.code == 1, ran
    assert "cannot connect to" in ran.err + ran.out
    assert not leaked(ran.out + ran.err), ran


@pytest.mark.parametrize(
    "evil", ["a\n::warning::INJECTED", "a\r::error::INJECTED", "a\x1b[31m", "a\u202eb", "a\x9b31m", "##[error]INJECTED"]
)
@pytest.mark.parametrize("format", FORMATS)
def test_names_and_texts_of_a_project_are_no_commands(project, evil, format, monkeypatch):
    """Neither to a terminal nor to a CI service: in the name of a file, a key or a value."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (project / f"events/{evil}.yaml").write_text("websocket.zz: {fn: nothere, sumary: x}\nb: 1\n")
    (project / f"functions/{evil}.py").write_text("def (")
    quoted = json.dumps(evil)
    (project / "events/texts.yaml").write_text(
        f"websocket.a: {{fn: {quoted}}}\n{quoted}: {{fn: greet}}\nwebsocket.b: {{fn: greet, {quoted}: 1}}\n"
        f"websocket.c: {{fn: greet, concurrency: {quoted}, payload: {{type: {quoted}}}}}\n"
    )
    for arguments in (("--diff",), ("--format", format), ("--fix", "--format", format)):
        ran = inside("validate", *arguments, cwd=project)
        if arguments == ("--diff",):
            first, *_, last = ran.out.splitlines()
            assert first == f"::stop-commands::{last.strip(':')}", "no line of a patch is a command"
            assert not set("\x1b\x9b\u202e\r") & set(ran.out)
            continue
        for line in (ran.out + ran.err).replace("\r", "\n").split("\n"):
            stripped = line.strip()
            assert not set("\x1b\x9b\u202e") & set(line), repr(line)
            assert not stripped.startswith(("::warning::INJ", "::error::INJ")), repr(line)
            if format != "json" and format != "sarif":
                assert "##[" not in line, repr(line)
