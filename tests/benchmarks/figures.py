"""
Figures as values, and how they are shown: medians with their spread, ratios round by round.

Not here: how anything is measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Added", "Comparison", "Latency", "as_json", "as_text", "compare", "latency"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One server's figure, and gsws's divided by it: medians over the rounds, each with its extremes."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """A duration measured many times, in milliseconds."""

    name: str
    count: int
    p50: float
    p95: float
    worst: float
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What one adds to another, round by round: the median of the differences with its extremes."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    goal: float | None = None

    @classmethod
    def of(cls, name: str, unit: str, differences: Sequence[float], goal: float | None = None) -> Added:
        """Summarise the differences of all rounds."""
        return cls(name, unit, statistics.median(differences), min(differences), max(differences), goal)


def compare(
    unit: str, rounds: Mapping[str, Sequence[float]], goals: Mapping[str, float], subject: str = "gsws"
) -> list[Comparison]:
    """
    Put each server's rounds beside the subject's.

    A ratio is taken within a round, where both met the same machine; then its median over the rounds.
    """
    found = []
    for name, values in rounds.items():
        ratios = [ours / theirs for ours, theirs in zip(rounds[subject], values, strict=True)]
        found.append(
            Comparison(
                name,
                unit,
                statistics.median(values),
                min(values),
                max(values),
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                goals.get(name),
            )
        )
    return found


def latency(name: str, seconds: Sequence[float], goal: float | None = None) -> Latency:
    """Summarise durations given in seconds; p95 is the value that 95 of 100 do not pass."""
    ordered = sorted(value * 1000 for value in seconds)
    p95 = ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]
    return Latency(name, len(ordered), statistics.median(ordered), p95, ordered[-1], goal)


def as_text(title: str, rows: Sequence[Comparison | Latency | Added]) -> str:
    """A table for people."""
    lines = [title]
    for row in rows:
        if isinstance(row, Comparison):
            spread = f"{row.median:8.2f} {row.unit}  ({row.low:.2f} to {row.high:.2f})"
            ratio = f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"
            goal = "" if row.goal is None else f"  at most {row.goal}: {_verdict(row.ratio, row.goal)}"
            lines.append(f"  {row.name:28} {spread:34}  gsws / it: {ratio}{goal}")
        elif isinstance(row, Added):
            spread = f"{row.median:8.2f} {row.unit}  ({row.low:.2f} to {row.high:.2f})"
            goal = "" if row.goal is None else f"  at most {row.goal:g} {row.unit}: {_verdict(row.median, row.goal)}"
            lines.append(f"  {row.name:28} {spread:34}{goal}")
        else:
            goal = "" if row.goal is None else f"  at most {row.goal:g} ms: {_verdict(row.p95, row.goal)}"
            times = f"p50 {row.p50:7.1f} ms  p95 {row.p95:7.1f} ms  worst {row.worst:7.1f} ms"
            lines.append(f"  {row.name:40} {times}  of {row.count}{goal}")
    return "\n".join(lines)


def as_json(rows: Sequence[Comparison | Latency | Added]) -> list[dict[str, Any]]:
    """The same rows for programs, rounded to what was measured."""
    return [{k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows]


def _verdict(value: float, goal: float) -> str:
    return "met" if value <= goal else "MISSED"
