"""`gsws schema`: the schemas are written where the files say they are, twice changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.support import inside


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def older(starter):
    """A project from before there were schemas, with a file of each kind."""
    shutil.rmtree(starter / ".gsws")
    for path in (*starter.rglob("*.yaml"),):
        if ".github" not in path.parts:
            path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    (starter / "definitions/deep").mkdir(parents=True)
    (starter / "definitions/deep/user.yaml").write_bytes(b"\xef\xbb\xbfUser:\r\n  type: object\r\n")
    (starter / "events/latin.yaml").write_bytes(b"# caf\xe9\n")
    return starter


def test_a_new_project_is_up_to_date(starter):
    before = contents(starter)
    ran = inside("schema", "--json", cwd=starter)
    assert ran.code == 0
    assert {one["state"] for one in ran.json["files"]} == {"up to date"}
    assert inside("schema", "--write", cwd=starter).code == 0
    assert contents(starter) == before


def test_without_write_nothing_is_written(older):
    before = contents(older)
    ran = inside("schema", "--vscode", "--jetbrains", cwd=older)
    assert (ran.code, contents(older)) == (0, before)
    assert "events/greet.yaml\tdiffers\n" in ran.out
    assert ".vscode/settings.json\tmissing\n" in ran.out
    assert ran.err == "`gsws schema --write` writes them\n"


def test_an_older_project_gets_schemas_and_lines(older):
    before = contents(older)
    assert inside("schema", "--write", cwd=older).code == 0
    after = contents(older)
    for path in ("events/greet.yaml", "eventsources/websocket.yaml", "gsws.yaml"):
        line, rest = after[path].split(b"\n", 1)
        assert rest == before[path]
        named = line.decode().partition("$schema=")[2]
        schema = json.loads((older / path).parent.joinpath(named).read_text("utf-8"))
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert after["definitions/deep/user.yaml"] == (
        b"\xef\xbb\xbf# yaml-language-server: $schema=../../.gsws/schemas/definitions.schema.json\r\n"
        b"User:\r\n  type: object\r\n"
    )
    assert after["events/latin.yaml"] == before["events/latin.yaml"]
    assert inside("schema", "--write", cwd=older).code == 0
    assert contents(older) == after


def test_editors_that_do_not_read_the_line(starter):
    (starter / ".vscode").mkdir()
    (starter / ".vscode/settings.json").write_text('{"mine": 1}')
    ran = inside("schema", "--write", "--vscode", "--jetbrains", cwd=starter)
    assert ran.code == 0, ran
    settings = json.loads((starter / ".vscode/settings.json").read_text())
    assert settings["mine"] == 1
    for schema in settings["yaml.schemas"]:
        assert (starter / schema).is_file()
    assert (starter / ".idea/jsonSchemas.xml").read_text().count("<SchemaInfo>") == 5
    again = inside("schema", "--vscode", "--jetbrains", "--json", cwd=starter)
    assert {one["state"] for one in again.json["files"]} == {"up to date"}


def test_settings_that_cannot_be_kept_keep_everything_back(older):
    (older / ".vscode").mkdir()
    (older / ".vscode/settings.json").write_text('{"a": 1} // mine')
    before = contents(older)
    ran = inside("schema", "--write", "--vscode", cwd=older)
    assert (ran.code, ran.out) == (1, "")
    assert "no plain JSON" in ran.err
    assert contents(older) == before


def test_a_link_out_of_the_project_is_not_written_through(starter, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(starter / ".gsws")
    (starter / ".gsws").symlink_to(outside)
    ran = inside("schema", "--write", cwd=starter)
    assert ran.code == 1
    assert not [path for path in outside.rglob("*") if path.is_file()]


def test_new_elements_name_their_schemas(starter):
    assert inside("new", "event", "hi", cwd=starter).code == 0
    assert inside("plugin", "add", "websocket", "--name", "chat", cwd=starter).code == 0
    assert "event.schema.json" in (starter / "events/hi.yaml").read_text().split("\n")[0]
    assert "eventsource.schema.json" in (starter / "eventsources/chat.yaml").read_text().split("\n")[0]
    assert inside("validate", cwd=starter).out == ""


def test_no_project(tmp_path):
    assert inside("schema", "--write", cwd=tmp_path).code == 1
    assert not list(tmp_path.iterdir())
