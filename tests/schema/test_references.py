"""Where `$ref` leads: all documented forms, at any depth, and never out of the project."""

from __future__ import annotations

import json
import textwrap
from urllib.parse import quote

import pytest

from gsws.schema.drafts import DRAFTS
from tests.schema.helpers import Schema

FILES = {
    "definitions/chat.yaml": """\
Message:
  type: object
  required: [text]
  properties:
    text: {$ref: '#/Text'}
    author: {$ref: './people/user.yaml#/User'}
    replies: {type: array, items: {$ref: '#/Message'}}
Text: {type: string, maxLength: 5}
v1.Note: {type: integer}
""",
    "definitions/people/user.yaml": """\
User:
  type: object
  properties:
    name: {$ref: '../chat.yaml#/Text'}
    last: {$ref: '#/definitions/chat/Message'}
Named: {$anchor: named, type: boolean}
""",
    "definitions/whole.yaml": "type: object\nproperties: {n: {type: integer}}\n",
    "definitions/groups.yaml": "geo:\n  Point: {type: array}\n  Line: {$ref: '#/geo/Point'}\n",
}


@pytest.mark.parametrize(
    ("reference", "good", "bad"),
    [
        ("#/definitions/chat/Text", "abc", "abcdef"),
        ("#/definitions/people/user/User", {"name": "a"}, {"name": 1}),
        ("#/definitions/people.user.User", {"name": "a"}, {"name": 1}),
        ("#/definitions/chat.Text", "abc", 1),
        ("#/definitions/chat.v1.Note", 1, "a"),
        ("#/definitions/chat/v1.Note", 1, "a"),
        ("#/definitions/chat/Message/properties/text", "abc", 1),
        ("#/definitions/whole", {"n": 1}, {"n": "a"}),
        ("#/definitions/groups/geo/Line", [], {}),
        ("../definitions/chat.yaml#/Text", "abc", 1),
        ("../definitions/people/user.yaml#named", True, 1),
        ("../definitions/whole.yaml", {}, []),
        ("../definitions/whole.yaml#", {}, []),
        ("#/%64efinitions/chat/Te%78t", "abc", 1),
    ],
)
def test_every_form_reaches_its_definition(reference, good, bad):
    schema = Schema(f"properties: {{x: {{$ref: '{reference}'}}}}", FILES)
    assert schema.codes == []
    assert schema.definitions.findings() == ()
    assert schema.check({"x": good})
    assert not schema.check({"x": bad})
    assert schema.explain({"x": bad})[0][0].startswith("/x")


def test_definitions_refer_to_each_other_at_any_depth():
    schema = Schema("$ref: '#/definitions/chat/Message'", FILES)
    good = {"text": "a", "author": {"name": "b", "last": {"text": "c", "replies": [{"text": "d"}]}}}
    assert schema.check(good)
    good["author"]["last"]["replies"][0]["text"] = "too long"
    assert schema.reasons(good) == [("/author/last/replies/0/text", "maxLength")]


@pytest.mark.parametrize(
    "text",
    [
        "$ref: '#/$defs/a'\n$defs: {a: {type: integer}}",
        "$ref: '#/definitions/a'\ndefinitions: {a: {type: integer}}",
        "$ref: '#a'\n$defs: {x: {$anchor: a, type: integer}}",
        "$ref: 'item.json'\n$defs: {x: {$id: item.json, type: integer}}",
        "$id: https://example.com/root\n$ref: 'https://example.com/item'\n$defs: {x: {$id: item, type: integer}}",
        "$ref: '#/$defs/a~1b~0c'\n$defs: {a/b~c: {type: integer}}",
        "$dynamicRef: '#d'\n$defs: {x: {$dynamicAnchor: d, type: integer}}",
        "$ref: '#/x-mine/a'\nx-mine: {a: {type: integer}}",
        "$schema: http://json-schema.org/draft-07/schema#\n$ref: '#/definitions/a'\ndefinitions: {a: {type: integer}}",
    ],
)
def test_places_in_the_schema_itself(text):
    schema = Schema(text)
    assert schema.codes == []
    assert schema.check(1)
    assert schema.explain("a")[0][:2] == ("", "type")


@pytest.mark.parametrize("name", ["Größe", "Page<Addr>", "a b", "名前", "{x}", "50%", "a^b|c", 'the "one"'])
@pytest.mark.parametrize("is_encoded", [False, True], ids=["as it is", "encoded"])
@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_a_name_may_have_characters_that_no_address_has(draft, name, is_encoded):
    """Generators write them into references as they are; in the schema itself and in a definitions file."""
    written = quote(name) if is_encoded or "%" in name else name
    key = "definitions" if draft.lone_ref else "$defs"
    files = {"definitions/named.yaml": json.dumps({name: {"type": "integer"}}, ensure_ascii=False)}
    for place, own in ((f"#/{key}/", {key: {name: {"type": "integer"}}}), ("#/definitions/named/", {})):
        text = {"$schema": draft.uri, "properties": {"x": {"$ref": place + written}}, **own}
        schema = Schema(json.dumps(text, ensure_ascii=False), files)
        assert schema.codes == [], place
        assert schema.check({"x": 1})
        assert schema.reasons({"x": "a"}) == [("/x", "type")]


@pytest.mark.parametrize(
    "text",
    [
        # The nearest parent with an `$id` is what an `$id` is relative to, not the document.
        """
        $schema: http://json-schema.org/draft-07/schema#
        $id: http://example.com/root.json
        properties: {a: {$ref: 'folder/#/definitions/number'}, b: {$ref: 'folder/item.json'}}
        definitions:
          item.json: {$id: item.json, type: string}
          outer:
            $id: folder/
            definitions: {number: {$ref: item.json}, item: {$id: item.json, type: integer}}
        """,
        # An anchor is a name in the nearest `$id`, so that two may have the same.
        """
        $schema: https://json-schema.org/draft/2020-12/schema
        properties: {a: {$ref: 'one#x'}, b: {$ref: 'one#x'}}
        $defs:
          two: {$id: two, $defs: {x: {$anchor: x, type: string}}}
          one: {$id: one, $defs: {x: {$anchor: x, type: integer}}}
        """,
        """
        $schema: https://json-schema.org/draft/2020-12/schema
        allOf: [{$id: one, $ref: '#x', $defs: {x: {$anchor: x, properties: {a: {type: integer}}}}}]
        properties: {b: {$ref: 'two#x'}}
        $defs: {two: {$id: two, $defs: {x: {$anchor: x, type: integer}}}}
        """,
    ],
    ids=["$id in $id", "two of an $anchor", "an $anchor in an alternative"],
)
def test_names_belong_to_the_nearest_id(text):
    """A schema that can be satisfied is never said not to be, and means what the standard says."""
    schema = Schema(textwrap.dedent(text))
    assert schema.codes == []
    assert schema.check({"a": 1, "b": 2})
    assert not schema.check({"a": "1"})
    assert not schema.check({"b": "2"})


def test_the_schemas_own_definitions_come_first():
    schema = Schema("$ref: '#/definitions/chat/Text'\ndefinitions: {chat: {Text: {type: integer}}}", FILES)
    assert schema.check(5)


@pytest.mark.parametrize(
    ("reference", "code", "help"),
    [
        ("#/definitions/chat/Mesage", "GS404", "did you mean `#/definitions/chat/Message`?"),
        ("#/definitions/chta/Message", "GS404", "did you mean `#/definitions/chat/Message`?"),
        ("../definitions/caht.yaml#/Text", "GS404", "did you mean `../definitions/chat.yaml#/Text`?"),
        ("#/$defs/nope", "GS404", None),
        ("#nope", "GS404", None),
        ("nowhere.yaml", "GS404", None),
        ("https://example.com/x.json", "GS110", None),
        ("http://json-schema.org/geo", "GS110", None),
        ("file:///etc/passwd", "GS110", None),
        ("//example.com/x", "GS110", None),
        ("../../etc/passwd", "GS110", None),
        ("/etc/passwd", "GS110", None),
        ("%2e%2e/%2e%2e/etc/passwd", "GS110", None),
        ("gsws:///definitions/chat.yaml#/Text", "GS110", None),
    ],
)
def test_references_that_lead_nowhere_or_away_are_errors(reference, code, help):
    schema = Schema(f"properties:\n  x: {{$ref: '{reference}'}}", FILES)
    assert schema.codes == [code]
    assert schema.compiled.validator is None
    finding = schema.compiled.findings[0]
    assert (finding.span.line, finding.span.column) == (4, 17)
    assert finding.help
    if help:
        assert finding.help == help


def test_a_lost_reference_is_shown_with_the_nearest_definition():
    assert Schema("$ref: '#/definitions/chat/Mesage'", FILES).rendered == (
        "error[GS404]: `#/definitions/chat/Mesage` leads nowhere\n"
        "  --> events/e.yaml:3:11\n"
        "   |\n"
        " 3 |     $ref: '#/definitions/chat/Mesage'\n"
        "   |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^ not found\n"
        "   = help: did you mean `#/definitions/chat/Message`?\n"
    )


def test_meta_schemas_are_known_without_the_network():
    schema = Schema("properties: {s: {$ref: 'https://json-schema.org/draft/2020-12/schema'}}")
    assert schema.codes == []
    assert schema.check({"s": {"type": "string"}})
    assert not schema.check({"s": {"type": 5}})


def test_definitions_have_findings_of_their_own():
    broken = {
        "definitions/a.yaml": "Good: {type: string}\nBad:\n  tpye: string\n  properties: {x: {$ref: '#/God'}}\n",
        "definitions/b.yaml": "X: {$ref: './a.yaml#/Y'}\nY: {$ref: '#/Z'}\nZ: {$ref: '#/Y'}\n",
    }
    schema = Schema("$ref: '#/definitions/a/Good'", broken)
    assert schema.codes == []
    assert [(f.code, f.span.path, f.span.line) for f in schema.definitions.findings()] == [
        ("GS402", "definitions/a.yaml", 3),
        ("GS404", "definitions/a.yaml", 4),
        ("GS404", "definitions/b.yaml", 1),
        ("GS405", "definitions/b.yaml", 2),
        ("GS405", "definitions/b.yaml", 3),
    ]


def test_definitions_of_another_draft_keep_it():
    files = {
        "definitions/old.yaml": "$schema: http://json-schema.org/draft-07/schema#\nPair:\n  items: [{type: string}]\n"
    }
    schema = Schema("$ref: '#/definitions/old/Pair'", files)
    assert schema.definitions.findings() == ()
    assert schema.check(["a", 1])
    assert not schema.check([1])


def test_src_layout_is_the_same():
    schema = Schema(
        "properties: {a: {$ref: '#/definitions/chat/Text'}, b: {$ref: '../definitions/chat.yaml#/Text'}}",
        {"src/definitions/chat.yaml": "Text: {type: string}\n"},
        path="src/events/e.yaml",
    )
    assert schema.codes == []
    assert not schema.check({"a": 1})
    assert not schema.check({"b": 1})


def test_long_chains_and_wide_definitions_compile_quickly():
    import time

    chain = "".join(f"K{n}: {{$ref: '#/K{n + 1}'}}\n" for n in range(100)) + "K100: {type: string}\n"
    started = time.process_time()
    schema = Schema("$ref: '#/definitions/chain/K0'", {"definitions/chain.yaml": chain})
    assert schema.codes == []
    assert schema.definitions.findings() == ()
    assert schema.explain(5) == [("", "type", "expected string, got integer 5")]
    assert time.process_time() - started < 30
