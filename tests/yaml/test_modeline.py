"""The line that names a schema: where it leads, and when it is added."""

from __future__ import annotations

import pytest

from gsws.yaml.modeline import has_modeline, modeline, schema_for, with_modeline


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("events/a.yaml", "event"),
        ("events/deep/er/a.yml", "event"),
        ("src/events/a.yaml", "event"),
        ("eventsources/a.yaml", "eventsource"),
        ("definitions/a.yaml", "definitions"),
        ("datasources/a.yaml", "datasource"),
        ("gsws.yaml", "gsws"),
        ("events.yaml", None),
        ("events/a.json", None),
        ("config/default.yaml", None),
        ("other/gsws.yaml", None),
        ("functions/a.py", None),
    ],
)
def test_the_folder_tells_the_schema(path, schema):
    assert schema_for(path) == schema
    assert (modeline(path) is None) == (schema is None)


def test_the_line_leads_from_the_file_to_the_root():
    assert modeline("gsws.yaml") == "# yaml-language-server: $schema=.gsws/schemas/gsws.schema.json"
    assert modeline("src/events/a/b.yaml") == (
        "# yaml-language-server: $schema=../../../.gsws/schemas/event.schema.json"
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_it_is_the_first_line_and_nothing_else_changes(mark, end):
    text = f"{mark}# mine{end}a.b: {{fn: c}}{end}"
    made = with_modeline("events/a.yaml", text)
    assert made == f"{mark}{modeline('events/a.yaml')}{end}{text.removeprefix(mark)}"
    assert with_modeline("events/a.yaml", made) == made


@pytest.mark.parametrize(
    "line",
    [
        "# yaml-language-server: $schema=https://mine.example/x.json",
        "#yaml-language-server:$schema=x.json",
        "# $schema: x.json",
        "a: 1\n# yaml-language-server: $schema=x.json",
    ],
)
def test_another_schema_is_left_alone(line):
    assert has_modeline(line)
    assert with_modeline("events/a.yaml", line) == line


def test_a_schema_keyword_is_no_such_line():
    assert not has_modeline('a:\n  $schema: "https://json-schema.org/draft/2020-12/schema"\n')


def test_an_empty_file_gets_one():
    assert with_modeline("gsws.yaml", "") == f"{modeline('gsws.yaml')}\n"
