"""
Writes the parts of `docs/reference` that are made from the code: `python tests/tools/reference.py` (`make reference`).

Lives here: the page of findings, from the catalogue. Not here: pages written by hand. A test compares the page with
what this script would write.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ROOT / "docs" / "reference" / "findings.md"

INTRODUCTION = """\
# Findings

What `gsws validate` and `gsws serve` can report, by code.
A code never changes its meaning.

An error keeps the project from being served; a warning does not.
A note (severity info) is told by `gsws validate` only, and only when it is asked for: `--select GS406` or
`--fail-level info`.
`--fix` repairs what says so here, as far as one repair is certain.

A comment silences findings of its line, or, if it has a line to itself, of the next one, in YAML and in Python:

```yaml
payload: {type: string, pattern: '^(a+)+$'}    # gsws: ignore[GS408]
```

Several codes are separated by commas.
Warnings and notes can be silenced, and those errors that say so here: with them the project still means what it says.
Every other error stays, since such a project cannot be served as it is written.
A comment that silences nothing is a finding itself ([GS006](#gs006-comment-that-silences-nothing)).

This page is made from the catalogue by `make reference`.
"""


def emitted_codes() -> frozenset[str]:
    """The codes that the package's modules name, the catalogue aside."""
    paths = (path for path in (ROOT / "gsws").rglob("*.py") if path.name != "catalogue.py")
    return frozenset(code for path in paths for code in re.findall(r"\"(GS\d{3})\"", path.read_text(encoding="utf-8")))


def findings_page() -> str:
    """The page of every finding that can be reported."""
    from gsws.diagnostics import CATALOGUE

    emitted = emitted_codes()
    parts = [INTRODUCTION]
    for code, entry in sorted(CATALOGUE.items()):
        if code in emitted:
            sentences = entry.explanation.replace(". ", ".\n")
            facts = [f"Severity: {entry.severity.name.lower()}."]
            if entry.fixable:
                facts.append("`gsws validate --fix` repairs it.")
            if entry.ignorable:
                facts.append(f"`# gsws: ignore[{code}]` silences it.")
            parts.append(f"## {code}: {entry.title}\n\n{chr(10).join(facts)}\n\n{sentences}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    FINDINGS.parent.mkdir(parents=True, exist_ok=True)
    FINDINGS.write_text(findings_page(), encoding="utf-8")
    print(FINDINGS.relative_to(ROOT), file=sys.stderr)
