"""The short run of the mutation test, and tests of its own parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsws.diagnostics import Severity
from gsws.plugins.registry import facts
from gsws.project import load_project
from tests.mutation.judge import Score, Workbench, score
from tests.mutation.meaning import Change, changes, is_meant, words_in
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.samples import ENVIRON, RICH, samples

SEED = 20261123


@pytest.mark.parametrize("name", samples())
def test_the_samples_are_clean(tmp_path: Path, name: str) -> None:
    """Nothing but notes is said about a sample."""
    for path, text in samples()[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    found = load_project(tmp_path, environ=ENVIRON, plugins=facts()).findings

    assert [finding for finding in found if finding.severity is not Severity.INFO] == []


def test_corruptions_are_caught_located_and_repaired(tmp_path: Path) -> None:
    """Of a few hundred seeded mutants: 95 % caught, the right line in 92 %, the right suggestion on top in 85 %."""
    whole = Score()
    for number, (name, files) in enumerate(samples().items()):
        bench = Workbench(tmp_path / name, files)
        whole.judgements += score(bench, mutants(files, SEED + number), 100 if name == "starter" else 300).judgements

    assert whole.suggestible >= 100
    assert whole.caught >= 0.95, str(whole)
    assert whole.line >= 0.92, str(whole)
    assert whole.suggestion >= 0.85, str(whole)


def test_a_seed_makes_the_same_mutants() -> None:
    """What one run found, another one finds again."""
    first, second = mutants(RICH, 7), mutants(RICH, 7)

    assert [next(first) for _ in range(50)] == [next(second) for _ in range(50)]


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ({"a.b": {"fn": "x", "summary": "one"}}, {"a.b": {"fn": "x", "summary": "two"}}, False),
        ({"a.b": {"fn": "x", "timeout": "30s"}}, {"a.b": {"fn": "x", "timeout": "3s"}}, False),
        ({"a.b": {"fn": "x", "timeout": "30s"}}, {"a.b": {"fn": "x", "timeout": "30x"}}, True),
        ({"a.b": {"fn": "x", "timeout": "30s"}}, {"a.b": {"fn": "x", "timeuot": "30s"}}, True),
        ({"a.b": {"fn": "x"}}, {"a.b": {}}, True),
        ({"a.b": {"fn": "x", "timeout": 1}}, {"a.b": {"fn": "x"}}, False),
        ({"a.b": {"payload": {"type": "string"}}}, {"a.b": {"payload": {"type": "strin"}}}, True),
        ({"a.b": {"payload": {"pattern": "^a"}}}, {"a.b": {"payload": {"pattern": "^("}}}, True),
        ({"a.b": {"payload": {"enum": ["a", "b"]}}}, {"a.b": {"payload": {"enum": ["a", "bc"]}}}, False),
        ({"a.b": {"payload": {"properties": {"q": {}}}}}, {"a.b": {"payload": {"properties": {"r": {}}}}}, False),
        ({"a.b": {"payload": {"properties": {"id": {}}}}}, {"a.b": {"payload": {"properties": {"ix": {}}}}}, True),
    ],
)
def test_what_a_checker_can_know(old: object, new: object, meant: bool) -> None:
    """A typo in a known word or a repeated name is a mistake; another free text, amount or coined name is none."""
    repeated = words_in({"events/a.yaml": "id: id"})

    assert any(is_meant("events/a.yaml", change, repeated) for change in changes(old, new)) is meant


def test_a_rename_is_one_change() -> None:
    """A key that went and one that came with the same value belong together."""
    assert list(changes({"fn": 1, "x": 2}, {"fm": 1, "x": 2})) == [Change(("fn",), 1, 1, renamed="fm")]


def test_an_unnoticed_mutant_counts_as_missed(tmp_path: Path) -> None:
    """The judge can fail: what gsws does not notice is not caught, what means nothing is left out."""
    bench = Workbench(tmp_path, RICH)
    text = RICH["config/default.yaml"]

    assert bench.judge(Mutant("config/default.yaml", "replace", text.replace("20", "21"), 4)) is None
    verdict = bench.judge(Mutant("config/default.yaml", "replace", text.replace("shop:", "shpo:"), 1, "shop", "shpo"))
    assert verdict is None or verdict.caught
    wrong = bench.judge(
        Mutant("events/orders.yaml", "x", RICH["events/orders.yaml"].replace("timeout: 30s", "timeuot: 30s"), 3)
    )
    assert wrong is not None
    assert wrong.caught
    assert not wrong.line
