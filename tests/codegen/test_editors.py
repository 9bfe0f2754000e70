"""Settings of editors: ours are added, everything else stays."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from gsws.codegen.editors import SettingsRefused, jetbrains_mapping, vscode_settings


def test_vscode_from_nothing():
    made = json.loads(vscode_settings(None, "src/"))["yaml.schemas"]
    assert made["./.gsws/schemas/event.schema.json"] == ["src/events/**/*.yaml", "src/events/**/*.yml"]
    assert made["./.gsws/schemas/gsws.schema.json"] == ["gsws.yaml"]


def test_vscode_keeps_what_is_there():
    present = '{"editor.tabSize": 3, "yaml.schemas": {"mine.json": ["x.yaml"]}}'
    once = vscode_settings(present, "")
    assert json.loads(once)["editor.tabSize"] == 3
    assert json.loads(once)["yaml.schemas"]["mine.json"] == ["x.yaml"]
    assert vscode_settings(once, "") == once


@pytest.mark.parametrize("present", ['{"a": 1, // mine\n}', "[]", '{"yaml.schemas": []}', "[" * 5000])
def test_vscode_settings_that_cannot_be_kept_are_refused(present):
    with pytest.raises(SettingsRefused):
        vscode_settings(present, "")


def entries(text: str) -> dict[str, str]:
    return {
        entry.get("key"): entry.find(".//option[@name='relativePathToSchema']").get("value")
        for entry in ET.fromstring(text).iter("entry")
    }


def test_jetbrains_from_nothing():
    made = jetbrains_mapping(None, "")
    assert entries(made)["gsws event"] == ".gsws/schemas/event.schema.json"
    assert '<option name="path" value="events" />' in made
    assert len(entries(made)) == 5


def test_jetbrains_keeps_what_is_there():
    present = (
        '<project version="4"><component name="Mine" /><component name="JsonSchemaMappingsProjectConfiguration">'
        '<state><map><entry key="mine"><value><SchemaInfo>'
        '<option name="relativePathToSchema" value="m.json" /></SchemaInfo></value></entry></map></state>'
        "</component></project>"
    )
    once = jetbrains_mapping(present, "")
    assert entries(once)["mine"] == "m.json"
    assert '<component name="Mine" />' in once
    assert jetbrains_mapping(once, "") == once


@pytest.mark.parametrize("present", ["<project", "<other />"])
def test_jetbrains_settings_that_cannot_be_kept_are_refused(present):
    with pytest.raises(SettingsRefused):
        jetbrains_mapping(present, "")
