"""Hooks into other people's machines: GitHub Actions, pre-commit, the composite action, the workflow of `gsws init`."""

from __future__ import annotations

import json
import re

import pytest
from ruamel.yaml import YAML

from gsws.scaffold.templates import find_template, template_names
from tests.cli.support import ROOT, inside, on_terminal
from tests.docs.pages import DOCS, blocks


@pytest.fixture
def broken(starter, monkeypatch):
    path = starter / "events/greet.yaml"
    path.write_text(path.read_text().replace("fn: greet", "fn: gret"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return starter


def read(path: str):
    return YAML(typ="safe").load(ROOT / path)


def test_github_is_chosen_by_itself(broken):
    ran = inside("validate", cwd=broken)
    assert ran.code == 1
    assert ran.out.startswith("::error file=events/greet.yaml,line=4,col=7,endLine=4,endColumn=11,title=GS201")
    assert ran.err.startswith("failed: 1 error")


def test_a_format_that_is_said_wins(broken):
    assert inside("validate", "--format", "concise", cwd=broken).out.startswith("events/greet.yaml:4:7: GS201 ")
    assert inside("validate", "--json", cwd=broken).json["ok"] is False


def test_a_terminal_is_read_by_a_person(broken):
    assert "-->" in on_terminal("validate", cwd=broken, NO_COLOR="1", GITHUB_ACTIONS="true")


@pytest.mark.parametrize("value", ["", "false"])
def test_elsewhere_it_is_not(broken, monkeypatch, value):
    monkeypatch.setenv("GITHUB_ACTIONS", value)
    assert not inside("validate", cwd=broken).out.startswith("::")


def test_paths_begin_where_the_service_counts_from(broken, monkeypatch):
    assert "file=app/events/greet.yaml," in inside("validate", "app", cwd=broken.parent).out
    monkeypatch.setenv("GITHUB_WORKSPACE", str(broken.parent))
    assert "file=app/events/greet.yaml," in inside("validate", cwd=broken).out
    run = inside("validate", "--format", "sarif", cwd=broken).json["runs"][0]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/events/greet.yaml"
    assert run["originalUriBaseIds"]["PROJECTROOT"]["uri"] == f"{broken.parent.as_uri()}/"


def test_sarif_of_a_clean_project_and_of_none(starter, tmp_path):
    clean = inside("validate", "--format", "sarif", cwd=starter)
    assert (clean.code, clean.err, clean.json["runs"][0]["results"]) == (0, "", [])
    (tmp_path / "empty").mkdir()
    none = inside("validate", "--format", "sarif", cwd=tmp_path / "empty")
    assert none.code == 1
    assert [result["ruleId"] for result in json.loads(none.out)["runs"][0]["results"]] == ["GS001"]


@pytest.mark.parametrize("name", template_names())
def test_the_docs_show_the_workflow_of_the_templates(name):
    template = find_template(name)
    assert template is not None
    text = template.files({"name": "app", "version": "1"})[".github/workflows/gsws.yaml"].decode()
    shown = blocks(DOCS / "how-to" / "validate-in-ci.md")
    assert text.split("\n", 1)[1] in [block.text for block in shown]
    steps = YAML(typ="safe").load(text)["jobs"]["validate"]["steps"]
    assert steps[-1] == {"run": "gsws validate"}


def test_hooks_run_commands_that_there_are(starter):
    for hook in read(".pre-commit-hooks.yaml"):
        assert hook["pass_filenames"] is False
        command, *arguments = hook["entry"].split()
        assert command == "gsws"
        assert inside(*arguments, cwd=starter).code == 0
        for path in ("events/a.yaml", "x/functions/a/b.py", "gsws.yaml", ".env.example", "app/config/default.yml"):
            assert re.search(hook["files"], path), path
        for path in ("README.md", "docs/events.md", "public/index.html", "myevents/a.yaml"):
            assert not re.search(hook["files"], path), path


def test_the_action_reads_its_inputs_from_the_environment():
    """An input that stands in a script is a script."""
    action = read(".github/actions/validate/action.yaml")
    page = (DOCS / "how-to" / "validate-in-ci.md").read_text("utf-8")
    for name, facts in action["inputs"].items():
        assert f"| `{name}` |" in page
        assert "default" in facts
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
