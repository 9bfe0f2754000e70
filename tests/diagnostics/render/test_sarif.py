"""
Findings as SARIF 2.1.0.

The shape below is the part of the standard's schema that these logs touch, written down from its prose; a log has no
key that is not named here.
"""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft7Validator

from gsws.diagnostics import CATALOGUE, Edit, Finding, Fix, Label, Severity
from gsws.diagnostics.render import render_sarif
from gsws.text.span import Span


def closed(*required: str, **properties) -> dict:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def array(items: dict, **more) -> dict:
    return {"type": "array", "items": items, **more}


TEXT = closed("text", text={"type": "string"}, markdown={"type": "string"})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
POSITIVE = {"type": "integer", "minimum": 1}
ARTIFACT = closed(
    uri={"type": "string", "format": "uri-reference", "pattern": r"^[!-~]+$"}, uriBaseId={"type": "string"}
)
REGION = closed(startLine=POSITIVE, startColumn=POSITIVE, endLine=POSITIVE, endColumn=POSITIVE)
PLACE = {"physicalLocation": closed("artifactLocation", artifactLocation=ARTIFACT, region=REGION)}
REPLACEMENT = closed("deletedRegion", deletedRegion=REGION, insertedContent=closed(text={"type": "string"}))
FIX = closed(
    "artifactChanges",
    description=TEXT,
    artifactChanges=array(
        closed(
            "artifactLocation", "replacements",
            artifactLocation=ARTIFACT, replacements=array(REPLACEMENT, minItems=1),
        ),
        minItems=1, uniqueItems=True,
    ),
)  # fmt: skip
RULE = closed(
    "id",
    id={"type": "string"},
    name={"type": "string"},
    shortDescription=TEXT,
    fullDescription=TEXT,
    help=TEXT,
    defaultConfiguration=closed(level=LEVEL),
)
RESULT = closed(
    "message",
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=TEXT,
    locations=array(closed(**PLACE), minItems=1),
    relatedLocations=array(closed(id={"type": "integer", "minimum": 0}, message=TEXT, **PLACE), uniqueItems=True),
    fixes=array(FIX, uniqueItems=True),
)
DRIVER = closed(
    "name", name={"type": "string"}, semanticVersion={"type": "string"}, rules=array(RULE, uniqueItems=True)
)
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=array(RESULT),
    originalUriBaseIds={"type": "object", "additionalProperties": ARTIFACT},
)
LOG = closed(
    "version", "runs",
    **{"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}, "runs": array(RUN)},
)  # fmt: skip

SPAN = Span("events/gréet ä.yaml", 2, 7, 2, 11)
FINDINGS = [
    Finding("GS201", Severity.ERROR, "no function `gret`", SPAN, "here", "did you mean `greet`?",
            fix=Fix("write `greet`", (Edit(SPAN, "greet"), Edit(Span("b.yaml", 1, 1, 1, 1), "")))),
    Finding("GS102", Severity.ERROR, "twice", SPAN, related=(Label(Span("a.yaml", 1, 1, 1, 2), ""),)),
    Finding("GS005", Severity.WARNING, "no events"),
    Finding("GS406", Severity.INFO, "open", SPAN),
    Finding("GS999", Severity.INFO, "of a later version", SPAN),
]  # fmt: skip


@pytest.mark.parametrize("findings", [[], FINDINGS], ids=["clean", "findings"])
@pytest.mark.parametrize("where", [{}, {"prefix": "a b/", "base": "file:///repo"}], ids=["plain", "based"])
def test_a_log_is_valid(findings, where):
    log = json.loads(render_sarif(findings, **where))

    assert [error.message for error in Draft7Validator(LOG).iter_errors(log)] == []


def test_every_result_has_its_rule():
    run = json.loads(render_sarif(FINDINGS))["runs"][0]
    rules = run["tool"]["driver"]["rules"]

    assert [rule["id"] for rule in rules][: len(CATALOGUE)] == list(CATALOGUE)
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [one.code for one in FINDINGS]
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning", "note", "note"]


def test_places_count_code_points_from_the_repository():
    run = json.loads(render_sarif(FINDINGS, prefix="a b/", base="file:///repo"))["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]

    assert run["columnKind"] == "unicodeCodePoints"
    assert run["originalUriBaseIds"] == {"PROJECTROOT": {"uri": "file:///repo/"}}
    assert place["artifactLocation"] == {
        "uri": "a%20b/events/gr%C3%A9et%20%C3%A4.yaml",
        "uriBaseId": "PROJECTROOT",
    }
    assert place["region"] == {"startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 11}


def test_a_fix_is_what_an_editor_carries_out():
    fix = json.loads(render_sarif(FINDINGS))["runs"][0]["results"][0]["fixes"][0]

    assert fix["description"] == {"text": "write `greet`"}
    assert [change["replacements"][0].get("insertedContent") for change in fix["artifactChanges"]] == [
        {"text": "greet"},
        None,
    ]


def test_a_finding_without_a_place_gets_one():
    """Code scanning refuses a log in which a result has none."""
    result = json.loads(render_sarif(FINDINGS))["runs"][0]["results"][2]

    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "gsws.yaml"}}}]
