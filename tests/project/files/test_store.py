"""The cache on disk: it changes how long a check takes and nothing else."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gsws.diagnostics import Finding
from gsws.plugins.registry import facts
from gsws.project import ProjectCache, load_project
from gsws.project.files.codecs import CODECS, disk_cache
from gsws.project.files.store import DiskStore, cache_folder
from gsws.yaml.reading import parse_yaml
from tests.mutation.mutants import mutants
from tests.mutation.samples import ENVIRON, RICH

BIN = "parsed.bin"


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """The rich sample on disk."""
    for path, text in RICH.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def check(root: Path, cache: ProjectCache | None = None) -> tuple[Finding, ...]:
    cache = cache if cache is not None else disk_cache(root, {})
    return load_project(root, environ=ENVIRON, plugins=facts(), cache=cache, notes=True).findings


class Counting:
    """Counts what is parsed, by hiding behind `ProjectCache.file`."""

    def __init__(self, root: Path) -> None:
        self.cache = disk_cache(root, {})
        assert self.cache.store is not None
        self.missed: list[str] = []
        put = self.cache.store.put
        self.cache.store.put = lambda *given: (self.missed.append(given[1]), put(*given))[1]  # type: ignore[assignment,method-assign]


def test_warm_says_what_cold_says(rich: Path) -> None:
    """Over many corruptions: the findings with a cache of the clean project are those without a cache."""
    check(rich)
    made = mutants(RICH, 3)
    for _ in range(60):
        mutant = next(made)
        (rich / mutant.path).write_text(mutant.text)
        assert check(rich) == check(rich, ProjectCache()), mutant
        (rich / mutant.path).write_text(RICH[mutant.path])


def test_an_edit_costs_one_file(rich: Path) -> None:
    """A second run parses nothing; after an edit, that file alone."""
    check(rich)
    second = Counting(rich)
    check(rich, second.cache)
    assert second.missed == []

    (rich / "events/orders.yaml").write_text(RICH["events/orders.yaml"].replace("30s", "31s"))
    third = Counting(rich)
    check(rich, third.cache)
    assert third.missed == ["events/orders.yaml"]


def test_a_changed_definition_judges_its_schemas_anew(rich: Path) -> None:
    """A schema that was good is judged again when what it refers to changes."""
    check(rich)
    (rich / "definitions/money.yaml").write_text(RICH["definitions/money.yaml"].replace("Amount:", "Amuont:"))

    assert "GS404" in {finding.code for finding in check(rich)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:40],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: raw + b"x",
        lambda raw: b"gsws-cache-0\n" + raw[13:],
        lambda raw: os.urandom(len(raw)),
    ],
)
def test_a_damaged_cache_is_written_anew(rich: Path, damage: Callable[[bytes], bytes]) -> None:
    """Nothing is said about it, and the next run has a whole one."""
    expected = check(rich)
    place = cache_folder(rich) / BIN
    whole = place.read_bytes()
    place.write_bytes(damage(whole))

    assert check(rich) == expected
    assert place.read_bytes() == whole


def test_entries_of_a_wrong_shape_are_ignored(rich: Path) -> None:
    """A cache with a right checksum and wrong contents leads to parsing, not to a failure."""
    expected = check(rich)
    store = DiskStore(rich, CODECS)
    choice = random.Random(5)
    for key, (digest, _) in [(key, store._index[key][:2]) for key in store._index]:
        store._kept[key] = (
            digest,
            choice.choice([b"", b"\xc0", b"\x92\x01\xc4\x00", b"\x92\x80\xc4\x04aaaa", os.urandom(30)]),
        )
    store._is_changed = True
    store.save()

    assert check(rich) == expected


def test_another_gsws_does_not_trust_it(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version wrote is not read."""
    check(rich)
    monkeypatch.setattr("gsws.project.files.store.__version__", "99")
    again = Counting(rich)
    check(rich, again.cache)

    assert "events/orders.yaml" in again.missed


def test_it_keeps_to_itself(rich: Path) -> None:
    """Git does not see it, others cannot read it, and no half-written file is left."""
    check(rich)
    folder = cache_folder(rich)

    assert (folder / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE((folder / BIN).stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", BIN]


def test_it_follows_no_link(rich: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A project that came with links writes nothing outside of itself."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (rich / ".gsws").mkdir()
    cache_folder(rich).symlink_to(elsewhere)

    assert check(rich) == check(rich, ProjectCache())
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_no_matter(rich: Path) -> None:
    """A file in its place, or a read-only disk: the check goes on without."""
    (rich / ".gsws").write_text("in the way")

    assert check(rich) == check(rich, ProjectCache())


def test_the_variable_switches_it_off(rich: Path) -> None:
    """`GSWS_NO_CACHE` leaves no trace."""
    check(rich, disk_cache(rich, {"GSWS_NO_CACHE": "1"}))

    assert not (rich / ".gsws").exists()


@pytest.mark.parametrize(
    "text", ["", "a: 1\n", "a: {b: [1, {c: d}, []], e: ''}\nf: |\n  x\n  y\n\ng: [[1], 2]\n", "- a\n- b: c\n"]
)
def test_spans_come_back(text: str) -> None:
    """A document from the cache has the data and the places that the parsed one has."""
    parsed = parse_yaml("x.yaml", text.encode())
    kept = CODECS["yaml"].encode(parsed)
    if kept is None:
        assert parsed.data is None
        return
    again = CODECS["yaml"].decode("x.yaml", text.encode(), kept)

    def pointers(data: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
        items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        return [at, *(one for key, value in items for one in pointers(value, (*at, key)))]

    assert again.data == parsed.data
    for pointer in pointers(parsed.data):
        assert again.key_span(pointer) == parsed.key_span(pointer), pointer
        assert again.value_span(pointer) == parsed.value_span(pointer), pointer
        assert again.has(pointer)
