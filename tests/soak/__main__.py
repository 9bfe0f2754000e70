"""`python -m tests.soak [--faults N] [--followers N] [--seed N]`; `make soak` is this with the defaults."""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from tests.soak.soak import soak


def main() -> None:
    """Print the seed first, so that whatever happens can be repeated."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--followers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}: {options.faults} faults, {options.followers} clients", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        outcome = soak(Path(folder), faults=options.faults, followers=options.followers, seed=options.seed)
    report = outcome.report
    print(f"{sum(outcome.faults.values())} faults on {outcome.connections} connections in {outcome.seconds:.0f} s:")
    print("  " + ", ".join(f"{count} {kind}" for kind, count in outcome.faults.items()))
    print(f"{report.streams} streams whole, byte for byte; {report.frames} frames; {report.resumes} resumes")
    print(f"{report.returned} returns within the window, all held; {report.lost} streams lost past it, all of them")
    print(f"{report.watched} were followed over other connections, byte for byte, {report.rejoined} times after a cut;")
    print(f"  {report.refused} times there was nothing to follow any more")
    print(f"{report.resent} requests were cut before they arrived and ran once when sent again")
    print(f"{report.unclear} streams came back too close to the end of the window to judge")


if __name__ == "__main__":
    main()
