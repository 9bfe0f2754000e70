"""Run the mutation test at length: `python -m tests.mutation [--count 5000] [--seed 1] [--misses]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.judge import Judgement, Score, Workbench, score
from tests.mutation.mutants import mutants
from tests.mutation.samples import samples

GOALS = (("caught", 0.95), ("line", 0.92), ("suggestion", 0.85))


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, print the rates, and fail if one is too low."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="mutants that are not equivalent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--misses", action="store_true", help="show every mutant that was not answered right")
    options = parser.parse_args(arguments)
    whole = Score()
    for number, (name, files) in enumerate(samples().items()):
        with tempfile.TemporaryDirectory(prefix="gsws-mutation-") as folder:
            share = options.count // 4 if name == "starter" else options.count - options.count // 4
            found = score(Workbench(Path(folder), files), mutants(files, options.seed + number), share)
        print(f"{name}: {found}")
        whole.judgements += found.judgements
        whole.left_out += found.left_out
        if options.misses:
            for judgement in found.judgements:
                _show(judgement, files[judgement.mutant.path])
    print(f"seed {options.seed}: {whole}")
    return 0 if all(getattr(whole, name) >= goal for name, goal in GOALS) else 1


def _show(judgement: Judgement, before: str) -> None:
    if judgement.caught and judgement.line and judgement.suggestion is not False:
        return
    mutant = judgement.mutant
    what = "MISSED" if not judgement.caught else "LINE" if not judgement.line else "SUGGESTION"
    print(f"{what} {mutant.path}:{mutant.line} {mutant.kind} {mutant.word!r} -> {mutant.typo!r}")
    old, new = before.splitlines(), mutant.text.splitlines()
    print("  -", (old[mutant.line - 1 : mutant.line] or [""])[0])
    print("  +", (new[mutant.line - 1 : mutant.line] or [""])[0])
    for finding in judgement.findings[:3]:
        place = f"{finding.span.path}:{finding.span.line}" if finding.span else ""
        print(f"    {place} {finding.code} {finding.message} = {finding.help}")


if __name__ == "__main__":
    sys.exit(main())
