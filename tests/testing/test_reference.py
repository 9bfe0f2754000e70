"""The reference of `gsws.testing` names everything that it has."""

from __future__ import annotations

import inspect

import pytest

import gsws.testing
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "testing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", gsws.testing.__all__)
def test_every_public_name_has_an_entry(name):
    assert f"\n## {name}\n\n`from gsws.testing import {name}`\n" in PAGE
    assert getattr(gsws.testing, name).__doc__


@pytest.mark.parametrize("name", ["Answer", "Client", "FaultProxy", "ServedProject", "Stream"])
def test_every_member_is_named(name):
    """Those that a test calls; not the seams between the classes."""
    seams = {"of", "take", "read_until", "start", "close", "is_alive"}
    kind = getattr(gsws.testing, name)
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    if name == "Client":
        section += PAGE.partition("\n## ServedProject\n")[2].partition("\n## ")[0]
    members = [member for member, _ in inspect.getmembers(kind) if not member.startswith("_") and member not in seams]
    assert [member for member in members if f"`{member}" not in section and f"{member}(" not in section] == []


def test_an_unknown_name_is_an_error():
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        gsws.testing.nothing
