"""Editor schemas: they take what gsws takes, refuse what an eye can see, and stand alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from gsws.codegen.editor import editor_schemas, schema_files
from gsws.plugins.registry import facts
from gsws.project.specs import PluginFacts
from gsws.scaffold.templates import find_template, template_names
from gsws.yaml.modeline import has_modeline, modeline, schema_for
from gsws.yaml.reading import parse_yaml
from tests.docs.pages import blocks, pages

FANCY = PluginFacts(
    type="fancy",
    source_type="both",
    schema={
        "type": "object",
        "required": ["at"],
        "properties": {"at": {"$ref": "#/$defs/at"}, "n": {"type": "integer", "minimum": 3}},
        "additionalProperties": False,
        "$defs": {"at": {"enum": ["noon", "midnight"]}},
    },
)
PLUGINS = {**{type: facts()[type] for type in facts()}, "fancy": FANCY, "broken": PluginFacts("broken", error="no")}
SCHEMAS = editor_schemas(PLUGINS)


def plain(value: Any) -> Any:
    """As an editor sees it: the keys of a mapping are text."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def problems(name: str, text: str) -> list[str]:
    data = plain(parse_yaml("x.yaml", text.encode()).data)
    return [error.message for error in Draft7Validator(SCHEMAS[name]).iter_errors(data)]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_draft_7_and_refers_to_nothing_outside(name):
    Draft7Validator.check_schema(SCHEMAS[name])
    text = json.dumps(SCHEMAS[name])
    for reference in re.findall(r'"\$ref": "([^"]*)"', text):
        target: Any = SCHEMAS[name]
        assert reference.startswith("#/"), reference
        for part in reference[2:].split("/"):
            target = target[part]


def yaml_files() -> list[tuple[str, str, str]]:
    """Every YAML file of the templates and the docs that has a schema: where it is from, its path, its text."""
    found = []
    for name in template_names():
        template = find_template(name)
        assert template is not None
        files = template.files({"name": "app", "version": "1.0"})
        found += [(name, path, content.decode()) for path, content in files.items() if schema_for(path)]
    for page in pages():
        shown = [(block.title, block.text) for block in blocks(page) if block.title and schema_for(block.title)]
        found += [(page.name, title, text) for title, text in shown if "type: ticker" not in text]
    return found


@pytest.mark.parametrize(("origin", "path", "text"), yaml_files(), ids=lambda value: value[:40])
def test_the_files_of_templates_and_docs_are_accepted(origin, path, text):
    expected = ["'fn' is a required property"] if origin == "first-service.md" and "fn" not in text else []
    assert problems(schema_for(path), text) == expected


@pytest.mark.parametrize("name", template_names())
def test_the_files_of_templates_name_their_schemas(name):
    template = find_template(name)
    assert template is not None
    for path, content in template.files({"name": "app", "version": "1.0"}).items():
        if schema_for(path):
            assert content.decode().splitlines()[0] == modeline(path)
            assert has_modeline(content.decode())


@pytest.mark.parametrize(
    "text",
    [
        "a.b: {fn: c, timeout: 30s}",
        "a.b: {fn: c, timeout: 1m 30s}",
        "a.b: {fn: c, timeout: ${T}}",
        "a.b: {fn: c, timeout: ~, concurrency: <% config.c %>, deprecated: ${D:-false}}",
        "a & b.c: {fn: d, x-mine: 1}",
        "x-anchors: {a: &a {type: string}}\na.b: {fn: c, payload: *a}",
        "a.b: {fn: c, authz: false}",
        "a.b: {fn: c, authz: {scopes: [x]}, rate: {messages: 1, per: 1m}}",
        "a.b: {fn: c, responses: {200: {content: {application/json: {schema: {type: object}}}}}}",
        "a.b: {fn: c, payload: {$ref: '#/definitions/x/Y'}}",
        "a.b: {fn: c, payload: {type: [string, 'null'], items: [{}], x-note: 1, $defs: {g: {A: {type: string}}}}}",
        "a.b: {fn: c, on_disconnect: {grace: 30s}, security: []}",
    ],
)
def test_events_that_are_right(text):
    assert problems("event", text) == []


@pytest.mark.parametrize(
    "text",
    [
        "a.b: {fn: c, sumary: x}",
        "a.b: {fun: c}",
        "a.b: {fn: c, timeout: soon}",
        "a.b: {fn: c, timeout: -1}",
        "a.b: {fn: c, concurrency: paralel}",
        "a.b: {fn: c, rate: {mesages: 1}}",
        "a.b: {fn: c, payload: {tpye: object}}",
        "a.b: {fn: c, payload: {type: objct}}",
        "a.b: {fn: c, payload: {properties: {x: {minLength: two}}}}",
        "a.b: {fn: c, payload: {required: message}}",
        "hello: {fn: c}",
        "a.b: c",
        "- a.b",
    ],
)
def test_events_that_are_wrong(text):
    assert problems("event", text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("type: websocket", True),
        ("type: websocket\nport: ${PORT:-8000}", True),
        ("type: websocket\nlimits: {message_bytes: 64KiB}\norigins: ['*', 'https://a.b']", True),
        ("type: websocket\nx-mine: 1", True),
        ("type: fancy\nat: noon\nn: 3", True),
        ("type: websocket\nprot: 8000", False),
        ("type: websocket\nport: 80000", False),
        ("type: websocket\nport: eighty", False),
        ("type: websockt", False),
        ("type: broken", False),
        ("port: 8000", False),
        ("type: fancy", False),
        ("type: fancy\nat: dusk", False),
        ("type: fancy\nat: noon\nn: 2", False),
        ("type: fancy\nat: noon\nport: 1", False),
    ],
)
def test_sources_follow_the_schema_of_their_plugin(text, right):
    assert (problems("eventsource", text) == []) is right


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("datasource", "fn: pools.main\nanything: 1", True),
        ("datasource", "type: fancy\nat: noon", True),
        ("datasource", "type: websocket", False),
        ("gsws", "name: x\ndrain_timeout: 5s\nlog: {level: debug}", True),
        ("gsws", "nme: x", False),
        ("gsws", "log: {level: loud}", False),
        ("gsws", "backplane: {type: redis, url: x}", True),
        ("definitions", "User: {type: object, properties: {a: {$ref: '#/definitions/u/B'}}}", True),
        ("definitions", "Group: {A: {type: string}, B: true}\nC: {}", True),
        ("definitions", "type: object\nproperties: {}", True),
        ("definitions", "User: {type: object, propertis: {}}", False),
        ("definitions", "User: {type: objct}", False),
        ("definitions", "Group: {A: {type: strng}}", False),
    ],
)
def test_the_other_files(name, text, right):
    assert (problems(name, text) == []) is right


def test_files_are_the_same_every_time():
    assert schema_files(PLUGINS) == schema_files(dict(reversed(PLUGINS.items())))
    assert sorted(schema_files(PLUGINS)) == [f".gsws/schemas/{name}.schema.json" for name in sorted(SCHEMAS)]
    assert all(Path(path).suffix == ".json" and json.loads(text) for path, text in schema_files(PLUGINS).items())
