"""Whatever the files say, loading ends with findings and never with an exception."""

from __future__ import annotations

import json
import os
import random

import pytest

from gsws.eventsources.websocket.config import parse
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA
from gsws.project.settings import SETTINGS_SHAPE
from gsws.project.shapes.eventshape import EVENT

ODD = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    1e300,
    "",
    "x",
    "a.b",
    "../x",
    "30s",
    "1MiB",
    "${NO}",
    "${YES}",
    "${YES:-1}",
    "<% config.x %>",
    "<% 1+1 %>",
    "$",
    "$$",
    "__class__",
    "\u2028",
    "🙂" * 50,
    "x" * 5000,
    [],
    [[]],
    [None],
    ["x", 1, {}],
    {},
    {"": None},
    {"__proto__": 1},
    {"type": "object"},
    {"$ref": "#"},
    {"$ref": "#/definitions/none/None"},
    {"content": {"application/json": {"schema": 5}}},
    {"fn": 5, "scopes": {}},
    {"grace": []},
]


def odd(random_: random.Random, depth: int = 0):
    if depth < 3 and random_.random() < 0.2:
        return {str(random_.choice(ODD)): odd(random_, depth + 1) for _ in range(random_.randrange(4))}
    if depth < 3 and random_.random() < 0.1:
        return [odd(random_, depth + 1) for _ in range(random_.randrange(4))]
    return random_.choice(ODD)


def scrambled(random_: random.Random, shape, depth: int = 0):
    """A mapping with the shape's keys and values that mostly do not belong there."""
    properties = shape.get("properties") if isinstance(shape, dict) else None
    if not properties or depth > 3 or random_.random() < 0.15:
        return odd(random_)
    chosen = random_.sample(sorted(properties), k=random_.randrange(len(properties) + 1))
    return {key: scrambled(random_, properties[key], depth + 1) for key in chosen}


def test_scrambled_files_load(tree):
    """Six hundred projects whose keys have any value; what has no error can be typed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    random_ = random.Random(seed)
    tree.environ = {"YES": "5"}
    for _ in range(200):
        source = scrambled(random_, CONFIG_SCHEMA)
        if isinstance(source, dict) and random_.random() < 0.9:
            source["type"] = "websocket"
        event = scrambled(random_, EVENT)
        if isinstance(event, dict) and random_.random() < 0.7:
            event["fn"] = "chat"
        project = tree.load(
            {
                "eventsources/websocket.yaml": json.dumps(source, ensure_ascii=False),
                "events/chat.yaml": json.dumps({"websocket.chat": event, str(odd(random_)): odd(random_)}),
                "gsws.yaml": json.dumps(scrambled(random_, SETTINGS_SHAPE)),
                "config/default.yaml": json.dumps(odd(random_)),
                "mappings/m.yaml": json.dumps(odd(random_)),
                "definitions/d.yaml": json.dumps(odd(random_)),
                "datasources/d.yaml": json.dumps(odd(random_)),
            }
        )
        for finding in project.findings:
            assert "\n" not in finding.message
            assert len(finding.message) < 400
            assert finding.span is None or finding.span.line >= 1
        if project.ok():
            for source_spec in project.sources.values():
                parse(source_spec.config)
            for spec in project.events:
                assert spec.inbound is not None
                assert spec.handler is not None


def test_truncated_files_load(tree):
    """A half-written file is an error or a smaller project, at every byte."""
    text = (
        b'# events\n"websocket.chat": &a\n  fn: chat\n  payload: {type: object, properties: {a: {type: string}}}\n'
        b"  timeout: ${T:-5s}\n  authz: {scopes: ['x']}\n\"websocket.b\": *a\n"
    )
    for end in range(len(text)):
        tree.load({"events/chat.yaml": text[:end]})
    source = b"import os\n\nasync def chat(ctx, *, payload=None):\n    '''doc'''\n    return {'a': f'{payload!r}'}\n"
    for end in range(len(source)):
        tree.load({"functions/chat.py": source[:end]})


def test_a_link_that_leads_to_itself_is_a_finding(tree):
    os.symlink("self.yaml", tree.root / "events/self.yaml")

    assert tree.rendered().splitlines()[0] == "error[GS003]: cannot read `events/self.yaml`: a link that leads nowhere"


@pytest.mark.parametrize("name", ["functions", "definitions", "config", "mappings", "datasources"])
def test_a_file_where_a_folder_is_expected_is_a_finding(tree, name):
    if name == "functions":
        (tree.root / "functions/chat.py").unlink()
        (tree.root / "functions").rmdir()
    tree.write(name, "")

    assert f"error[GS003]: cannot read `{name}`: no folder" in tree.rendered()


def test_settings_that_are_no_file_of_the_project_are_a_finding(tree, tmp_path):
    (tree.root / "gsws.yaml").mkdir()
    assert "error[GS003]: cannot read `gsws.yaml`: no regular file" in tree.rendered()

    (tree.root / "gsws.yaml").rmdir()
    (tmp_path / "elsewhere.yaml").write_text("name: other\n")
    os.symlink(tmp_path / "elsewhere.yaml", tree.root / "gsws.yaml")
    assert "error[GS110]: `gsws.yaml` is a link to a file outside the project" in tree.rendered()
