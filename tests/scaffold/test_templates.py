"""Templates become projects: plain text put in once, never read again."""

from __future__ import annotations

import re

import pytest

from gsws.scaffold.templates import Template, find_template, template_names


def test_names():
    assert template_names() == ("starter", "agent", "bare")
    assert find_template("nothing") is None
    assert find_template("../starter") is None


@pytest.mark.parametrize("name", ["starter", "agent", "bare"])
def test_template_is_complete(name):
    """Every placeholder is filled, and the files of a project are there."""
    template = find_template(name)
    assert template is not None
    assert template.description
    files = template.files({"name": "x", "version": "9"})
    assert {
        "README.md",
        ".gitignore",
        ".env.example",
        "gsws.yaml",
        "pyproject.toml",
        "eventsources/websocket.yaml",
    } <= set(files)
    assert not any(re.search(rb"\{\{\w+\}\}", content) for content in files.values())
    assert not any("dot_" in path or path.endswith(".tmpl") or path == "template.toml" for path in files)


def test_what_a_template_needs_beside_gsws_is_looked_for(tmp_path):
    """By name alone; a template without needs is always ready."""
    assert find_template("bare").is_installed
    assert (find_template("agent").extra, find_template("agent").package) == ("ai", "langgraph")
    assert not Template("t", tmp_path, "", "", "x", "no_such_package").is_installed


def test_values_are_not_templates(tmp_path):
    (tmp_path / "a.tmpl").write_text("{{name}} {{version}}")
    (tmp_path / "verbatim").write_text("{{name}}")
    template = Template("t", tmp_path, "", "")
    made = template.files({"name": "{{version}} ${HOME} {% x %}", "version": "1"})
    assert made == {"a": b"{{version}} ${HOME} {% x %} 1", "verbatim": b"{{name}}"}


def test_unknown_placeholder_is_a_mistake_of_the_template(tmp_path):
    (tmp_path / "a.tmpl").write_text("{{nmae}}")
    with pytest.raises(KeyError, match="nmae"):
        Template("t", tmp_path, "", "").files({"name": "x"})


@pytest.mark.parametrize("name", ["starter", "agent"])
def test_a_page_makes_no_external_request(name):
    """No script, style, font or image of another host; the links of an answer are made by the answer."""
    files = find_template(name).files({"name": "x", "version": "1"})
    for path, content in files.items():
        if path.startswith("public/"):
            assert re.findall(rb"""(?:src|href|from|import|url\()\s*=?\s*["']?(?:https?:)?//""", content) == [], path
