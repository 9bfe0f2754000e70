"""Where threads are kept, as configuration writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsws.ai.threads.address import read_address
from gsws.ai.threads.errors import ThreadStoreError

BASE = Path("/srv/app")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("sqlite:///.gsws/threads.sqlite", "/srv/app/.gsws/threads.sqlite"),
        ("sqlite:////var/lib/threads.sqlite", "/var/lib/threads.sqlite"),
        ("SQLITE:///a%20b.sqlite", "/srv/app/a b.sqlite"),
        ("data/threads.sqlite", "/srv/app/data/threads.sqlite"),
        ("/var/lib/threads.sqlite", "/var/lib/threads.sqlite"),
        ("memory:", ":memory:"),
        ("sqlite://", ":memory:"),
    ],
)
def test_files(url, target):
    """A relative path starts in the given folder, an absolute one does not."""
    address = read_address(url, BASE)

    assert (address.kind, address.target) == ("sqlite", target)


@pytest.mark.parametrize(
    "url",
    ["postgresql://ann:geheim@db.example:5433/chat?password=geheim", "postgres://ann:geheim@db.example:5433/chat"],
)
def test_a_database_is_shown_without_its_password(url):
    """The address goes to Postgres as it is, and to people without what is secret."""
    address = read_address(url)

    assert (address.kind, address.target) == ("postgres", url)
    assert address.shown == f"{url.partition(':')[0]}://db.example:5433/chat"


@pytest.mark.parametrize(
    "url", ["", " ", "mysql://ann:geheim@host/x", "sqlite://host/x", "sqlite:///", "sqlite:///x?mode=ro", "a\0b"]
)
def test_anything_else_is_refused(url):
    """An address that means nothing is told, and its password is not."""
    with pytest.raises(ThreadStoreError) as caught:
        read_address(url, BASE)

    assert "geheim" not in str(caught.value)
