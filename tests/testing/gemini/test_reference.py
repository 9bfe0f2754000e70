"""The page of `FakeGemini` names everything that it has, and what it names is there."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

from gsws.testing.gemini import APIError, Call, FakeGemini, Request, Turn
from tests.cli.support import inside
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "fake-gemini.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("kind", [FakeGemini, Turn, Request])
def test_every_public_member_is_named(kind):
    members = [name for name, _ in inspect.getmembers(kind) if not name.startswith("_")]
    text = section(kind.__name__)

    assert [name for name in members if f"`{name}" not in text and f".{name}(" not in text] == []


def test_every_argument_is_named():
    signature = inspect.signature(FakeGemini)
    shown = re.search(r"`with FakeGemini\(\*turns, (.*?)\) as gemini:`", PAGE)[1]

    assert shown == ", ".join(
        str(one).partition(":")[0] + f"={one.default!r}" for one in list(signature.parameters.values())[1:]
    ).replace("'", '"')


@pytest.mark.parametrize("kind", [APIError, Call])
def test_values_are_shown_with_all_their_fields(kind):
    shown = re.search(rf"`{kind.__name__}\((.*?)\)[`;]", PAGE)[1]
    assert [one.partition("=")[0] for one in shown.split(", ")] == [field.name for field in fields(kind)]


def test_every_option_of_the_command_is_named(tmp_path):
    shown = set(re.findall(r"--[a-z][a-z-]*", inside("fake-gemini", "--help", cwd=tmp_path).out)) - {"--help"}
    assert shown == set(re.findall(r"--[a-z][a-z-]*", section("gsws fake-gemini")))
