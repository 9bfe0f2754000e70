"""`gsws validate --fix` never changes what a file means beyond what its finding says."""

from __future__ import annotations

import json
import random
import re
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gsws.cli.repair import repair_project
from gsws.yaml.reading import parse_yaml
from tests.cli.support import inside

HEAD = "# yaml-language-server: $schema=../.gsws/schemas/event.schema.json\n"
SECURITY = ("authn", "authz", "origins", "scopes", "tls", "limits", "host", "anonymous", "strict", "jwt", "api_keys")


def event(keys: str) -> str:
    body = "".join(f"  {line}\n" for line in keys.strip("\n").split("\n"))
    return f"{HEAD}websocket.greet:\n  fn: greet\n{body}"


def everything(project):
    return project.findings


def payload(keyword: str) -> str:
    return f"payload:\n  type: object\n  properties:\n    a: {{{keyword}}}"


@pytest.mark.parametrize(
    "keys",
    [
        "auth: false",
        "autn: false",
        "athz: false",
        "authz: {scope: [a]}",
        "authz: {scops: [a]}",
        "authz: gret",
        "rat: {messages: 1}",
        "rate: {mesages: 1}",
        "tag: x",
        "tagz: 1",
        "timout: soon",
        payload("type: string, format: ulid"),
        payload("type: string, format: dat-time"),
        payload("type: integer, require: true"),
        payload("type: integer, minium: '1'"),
        payload("type: integer, enum: [010, 10]"),
        "summary: 010",
        "id: 0o14",
    ],
)
def test_what_is_not_certain_is_left_alone(starter, keys):
    """Security, names of formats, and near names whose value would not fit; nor is a number made a text."""
    file = starter / "events/greet.yaml"
    file.write_text(event(keys))
    before = file.read_text()
    ran = inside("validate", "--fix", cwd=starter)
    assert file.read_text() == before, ran
    assert "fixed" not in ran.err


@pytest.mark.parametrize(
    "text",
    ["type: websocket\nhots: 0.0.0.0\nport: 08000\n", "type: websocket\norigin: ['*']\n",
     "type: websocket\nauth: {jwt: {secret: x}}\n", "type: websocket\nlimit: {connections: 1}\n",
     "type: websocket\nlimits: {conections: 1}\n", "type: websocket\nauthn: {anonimous: true, fn: greet}\n",
     "type: websocket\nauthn: {jwt: {algoritms: [none], secret: '${X:-abc}'}}\n"],
)  # fmt: skip
def test_a_source_is_not_opened_by_a_guess(starter, text):
    file = starter / "eventsources/websocket.yaml"
    file.write_text(text)
    inside("validate", "--fix", cwd=starter)
    assert file.read_text() == text


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_programs_are_not_offered_what_is_not_done(starter, format):
    """An editor that applies the fixes of a report does no more than `--fix`."""
    (starter / "events/greet.yaml").write_text(event("auth: false"))
    out = inside("validate", "--format", format, cwd=starter).out
    assert "GS305" in out
    assert not [one for one in json.loads(out).get("diagnostics", ()) if one["fix"]]
    assert '"fixes"' not in out


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("# gsws: ignore[GS208] because it is fast", "# because it is fast"),
        ("# gsws: ignore[GS208]", ""),
        ("# gsws: ignore[GS208]  # noqa: E501", "# noqa: E501"),
        ("# gsws: ignore[GS208] key: value, [x", "# key: value, [x"),
        ("# why  # gsws: ignore[GS208] so", "# why  # gsws: ignore[GS208] so".replace("# gsws: ignore[GS208]", "")),
    ],
)
def test_the_rest_of_a_comment_stays_a_comment(starter, comment, left):
    """In YAML and in Python."""
    greet = starter / "events/greet.yaml"
    greet.write_text(f"{HEAD}websocket.greet:\n  fn: greet  {comment}\n  summary: x\n")
    handler = starter / "functions/greet.py"
    handler.write_text(f"async def greet(payload):\n    x = 1  {comment}\n    return x\n")
    ran = inside("validate", "--fix", cwd=starter)
    assert ran.err.count("GS006") == 2, ran
    assert greet.read_text().split("\n")[2].rstrip() == f"  fn: greet  {left}".rstrip()
    assert handler.read_text().split("\n")[1].rstrip() == f"    x = 1  {left}".rstrip()


def test_certain_repairs_are_made_beside_refused_ones(starter):
    """One that is taken back does not keep another from its file."""
    file = starter / "events/greet.yaml"
    file.write_text(event("sumary: x\ntag: z\nauth: false\ndescripton: z\ndeprecatd: maybe"))
    inside("validate", "--fix", cwd=starter)
    assert file.read_text() == event("summary: x\ntag: z\nauth: false\ndescription: z\ndeprecatd: maybe")


def test_notes_are_shown_to_who_asks(starter):
    """What is merely worth knowing is no part of what everybody sees."""
    (starter / "events/greet.yaml").write_text(event("payload: {type: object, properties: {a: {type: string}}}"))
    assert "GS40" not in inside("validate", cwd=starter).out
    assert "GS406" in inside("validate", "--fail-level", "info", cwd=starter).out
    assert "GS407" in inside("validate", "--select", "GS4", cwd=starter).out


KEYS = (
    "fn", "schema", "payload", "reply", "emits", "summary", "description", "tags", "operationId", "deprecated", "id",
    "authn", "authz", "concurrency", "timeout", "on_disconnect", "rate", "presence", "log", "params", "responses",
    "auth",
)  # fmt: skip
KEYWORDS = (
    "type", "format", "required", "properties", "enum", "const", "minimum", "maxLength", "pattern", "items", "default",
    "additionalProperties", "title", "nullable", "$ref", "anyOf", "minItems", "multipleOf", "examples",
)  # fmt: skip
SCALARS = (
    "true", "false", "yes", "no", "on", "010", "0o14", "10", "1:30", "2026-01-01", "1_000", "'x'", "string", "strng",
    "integer", "greet", "gret", "parallel", "paralel", "cancel", "30s", "ulid", "date", "1.5", "~", "''", "[a, b]",
    "[yes, 010]", "{a: 1}", "{scopes: [a]}", "{messages: 1}", "{mesages: 1}", "{grace: 1s}", "#/definitions/x", "[]",
)  # fmt: skip
COMMENTS = (
    "",
    "",
    "",
    "  # note",
    "  # gsws: ignore[GS201] why",
    "  # gsws: ignore[GS407]",
    "  # gsws: ignore[GS305, GS306]",
)


def misspelt(word: str, pick: random.Random) -> str:
    at = pick.randrange(len(word))
    match pick.randrange(6):
        case 0:
            return word[:at] + word[at + 1 :] or word
        case 1:
            return word[:at] + word[at] + word[at:]
        case 2 if at + 1 < len(word):
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word


def generated(pick: random.Random, number: int) -> str:
    heads = ("websocket.e{}:", '"websocket.e{}":', "websockt.e{}:", "websocket.e {}:")
    lines = [pick.choice(heads).format(number)]
    if pick.random() < 0.8:
        named = pick.choice(("greet", "gret", "greet", "stream_words", "steam_words"))
        lines.append(f"  fn: {named}{pick.choice(COMMENTS)}")
    for key in dict.fromkeys(pick.choices(KEYS[1:], k=pick.randrange(4))):
        written = misspelt(key, pick)
        if key in ("payload", "schema", "reply") and pick.random() < 0.7:
            lines.append(f"  {written}:")
            for keyword in dict.fromkeys(pick.choices(KEYWORDS, k=pick.randrange(1, 4))):
                lines.append(f"    {misspelt(keyword, pick)}: {pick.choice(SCALARS)}{pick.choice(COMMENTS)}")
        else:
            lines.append(f"  {written}: {pick.choice(SCALARS)}{pick.choice(COMMENTS)}")
    return "\n".join(lines) + "\n"


def leaves(data, path=()):
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, json.dumps(data)


@settings(
    max_examples=10, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(seed=st.integers(0, 2**32))
def test_thousands_of_files_keep_their_meaning(starter, tmp_path, seed):
    """Whatever is written: no finding is gained, security is untouched, few places change; a second run rests."""
    pick = random.Random(seed)
    root = tmp_path / f"made-{seed}"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(starter, root)
    texts = {f"events/made_{number}.yaml": generated(pick, number) for number in range(100)}
    for name, text in texts.items():
        (root / name).write_text(text)
    repaired = repair_project(root, env="development", choose=everything)
    assert len(repaired.project.findings) <= len(repaired.before.findings)
    for change in repaired.changes:
        before, after = (parse_yaml(change.path, text.encode()).data for text in (change.before, change.after))
        was, now = dict(leaves(before)), dict(leaves(after))
        edits = sum(
            edit.span.path == change.path for one in repaired.done if one.fix is not None for edit in one.fix.edits
        )
        assert sorted(was.values()) == sorted(now.values()) or edits, change
        assert len(set(was.items()) ^ set(now.items())) <= 2 * edits * max(len(was), 1)
        for word in SECURITY:
            assert {one for one in was.items() if word in one[0]} == {one for one in now.items() if word in one[0]} or (
                "websockt" in change.before or "e " in change.before
            ), (word, change)
        (root / change.path).write_text(change.after)
    again = repair_project(root, env="development", choose=everything)
    assert again.changes == ()
    shutil.rmtree(root)


@pytest.mark.parametrize(
    "keys",
    [
        "payload: {properties: {a: &z {type: string, nullable: true}, b: {const: *z}}}",
        "payload: {properties: {a: {type: string, maxLenght: 3}, b: &z {type: string, maxLenght: 3}, c: {enum: [*z]}}}",
        "payload: {properties: {a: {type: &t strng}, b: {const: *t}}}",
        "payload: &p {typ: object}\nexamples: [{payload: *p}]",
        "log: &l {atributes: {}}\nexamples: [{payload: {<<: *l}}]",
    ],
)
def test_what_an_alias_takes_elsewhere_is_left_alone(starter, keys):
    """Its repair would change the other place too; the same without an alias is repaired."""
    file = starter / "events/greet.yaml"
    file.write_text(event(keys))
    anchored = keys.split("&")[1].split("}")[0]
    inside("validate", "--fix", cwd=starter)
    assert anchored in file.read_text()

    alone = re.sub(r"\*\w", "{a: 1}", re.sub(r"&\w ", "", keys))
    file.write_text(event(alone))
    inside("validate", "--fix", cwd=starter)
    assert anchored.partition(" ")[2] not in file.read_text()
