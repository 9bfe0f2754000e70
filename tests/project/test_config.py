"""gsws.yaml, .env, config/ and mappings/."""

from __future__ import annotations

import os

import pytest

from gsws.project import BackplaneSpec


def test_settings_without_a_file(tree):
    settings = tree.load().settings

    assert (settings.name, settings.version, settings.drain_timeout, settings.log.level) == (
        "app",
        "0.0.0",
        30.0,
        "info",
    )


def test_every_setting(tree):
    settings = tree.load(
        {
            "gsws.yaml": """
name: chat
version: 1.2.3
drain_timeout: 10s
log: {level: debug, format: json}
resume: {window: 1m, bytes: 64KiB, total: 8MiB, sessions: 50}
backplane: {type: nats, url: nats://localhost:4222, stream: x}
telemetry: {metrics: true}
"""
        }
    ).settings

    assert (settings.name, settings.version, settings.drain_timeout) == ("chat", "1.2.3", 10.0)
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert (settings.resume.window, settings.resume.bytes) == (60.0, 65536)
    assert (settings.resume.total, settings.resume.sessions) == (8 * 2**20, 50)
    assert settings.backplane == BackplaneSpec("nats", "nats://localhost:4222", {"stream": "x"})
    assert settings.telemetry == {"metrics": True}
    assert "resume" in settings.written


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("version: 1.10\n", []),
        ("backplane: memory\n", []),
        ("backplane: redis\n", ["GS307"]),
        ("backplane: {type: nats}\n", ["GS307"]),
        ("telemetry: true\n", ["GS309"]),
        ("telemetry: false\n", []),
        ("", []),
        ("nam: x\n", ["GS305"]),
        ("log: {levle: info}\n", ["GS305"]),
        ("log: {level: loud}\n", ["GS307"]),
        ("log: debug\n", ["GS306"]),
        ("lifespan: chat\n", []),
        ("lifespan: nowhere\n", ["GS201"]),
        ("lifespan: 5\n", ["GS306"]),
        ("lifespam: chat\n", ["GS305"]),
        ("drain_timeout: later\n", ["GS306"]),
        ("drain_timeout: -1\n", ["GS307"]),
        ("resume: {sessions: -1}\n", ["GS307"]),
        ("resume: {total: much}\n", ["GS306"]),
        ("resume: {totals: 1MiB}\n", ["GS305"]),
        ("backplane: kafka\n", ["GS307"]),
        ("backplane: {url: x}\n", ["GS304"]),
        ("[]\n", ["GS306"]),
        ("name: ${NO}\n", ["GS501"]),
        ("name: [\n", ["GS101"]),
    ],
)
def test_what_settings_may_be(tree, text, codes):
    assert tree.codes({"gsws.yaml": text}) == codes


def test_config_of_the_environment_lies_over_the_default(tree):
    files = {
        "config/default.yaml": "a: {x: 1, y: 2}\nl: [1, 2]\nport: ${PORT:-1}\n",
        "config/production.yaml": "a: {y: 3, z: null}\nl: [3]\n",
    }

    assert dict(tree.load(files).config) == {"a": {"x": 1, "y": 2}, "l": [1, 2], "port": 1}
    assert dict(tree.load(env="production").config) == {"a": {"x": 1, "y": 3}, "l": [3], "port": 1}
    assert dict(tree.load(env="staging").config) == {"a": {"x": 1, "y": 2}, "l": [1, 2], "port": 1}


def test_config_and_mappings_are_looked_up(tree):
    project = tree.load(
        {
            "config/default.yaml": "wait: 5s\n",
            "mappings/gender.yaml": "m: male\nshort: <% config.wait %>\n",
            "events/chat.yaml": (
                '"websocket.chat":\n  fn: chat\n  timeout: <% config.wait %>\n  summary: <% mappings.gender.m %>\n'
            ),
        }
    )

    assert project.findings == ()
    assert (project.events[0].timeout, project.events[0].summary) == (5.0, "male")
    assert dict(project.mappings) == {"gender": {"m": "male", "short": "5s"}}


def test_config_cannot_look_itself_up(tree):
    assert tree.codes({"config/default.yaml": "a: 1\nb: <% config.a %>\n"}) == ["GS502"]


def test_config_is_a_mapping(tree):
    assert tree.codes({"config/default.yaml": "[1]\n"}) == ["GS306"]


def test_dotenv_fills_in_what_the_process_lacks(tree):
    before = dict(os.environ)
    tree.environ = {"A": "process"}
    project = tree.load(
        {
            ".env": "# comment\nA=file\nexport B='b c'\nC=\"x ${A} ${B}\"\nD=1 # note\n\nE=\n",
            "config/default.yaml": "a: ${A}\nb: ${B}\nc: ${C}\nd: ${D}\ne: ${E:-empty}\n",
        }
    )

    assert project.findings == ()
    assert dict(project.config) == {"a": "process", "b": "b c", "c": "x process b c", "d": 1, "e": "empty"}
    assert dict(os.environ) == before


def test_a_line_of_dotenv_that_is_none_is_named(tree):
    project = tree.load({".env": "A=1\nthis is secret\nB=2\n"})

    assert [(one.code, one.span.path, one.span.line) for one in project.findings] == [("GS003", ".env", 2)]
    assert "secret" not in project.findings[0].message


def test_dotenv_that_is_no_text(tree):
    assert tree.codes({".env": b"A=\xff\n"}) == ["GS004"]


def test_dotenv_that_doubles_itself_stays_small(tree):
    lines = ["A0=xxxxxxxxxx"] + [f"A{number}=${{A{number - 1}}}${{A{number - 1}}}" for number in range(1, 60)]
    project = tree.load({".env": "\n".join(lines) + "\n"})

    assert max(map(len, project.environ.values())) <= 100_000


def test_a_file_that_cannot_be_read_is_named(tree):
    os.mkfifo(tree.root / "events/pipe.yaml")

    assert tree.codes() == ["GS003"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"a: \xff\n", "GS004"),
        (b"a: [\n", "GS101"),
        (b"a: 1\na: 2\n", "GS102"),
        (b"a: !!python/object:os.system {}\n", "GS108"),
        (b"a: 1\n---\nb: 2\n", "GS105"),
        (b"x: " + b"[" * 50_000, "GS101"),
        (b"a: .nan\n", "GS306"),
        (b"[1]: a\n", "GS306"),
        (b"a: " + b"x" * 1_100_000, "GS003"),
    ],
)
def test_what_is_wrong_with_a_yaml_text_has_its_code(tree, text, code):
    assert code in tree.codes({"config/default.yaml": text})


def test_a_link_out_of_the_project_is_not_read(tree, tmp_path):
    (tmp_path / "secret.yaml").write_text("a: 1\n")
    os.symlink(tmp_path / "secret.yaml", tree.root / "mappings.yaml")
    (tree.root / "mappings").mkdir()
    os.symlink(tmp_path / "secret.yaml", tree.root / "mappings/secret.yaml")
    project = tree.load()

    assert [finding.code for finding in project.findings] == ["GS110"]
    assert dict(project.mappings) == {}
