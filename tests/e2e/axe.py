"""axe-core in a page: what keeps people with disabilities from using it."""

from __future__ import annotations

from tests.e2e.available import node_modules
from tests.e2e.chromium import Page

__all__ = ["serious"]


def serious(page: Page) -> list[str]:
    """The serious and critical findings of axe-core on what the page shows now, a line each."""
    page.evaluate((node_modules() / "axe-core" / "axe.min.js").read_text() + ";undefined")
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)")
    return [
        f"{one['id']}: {one['help']}: {', '.join(node['html'][:120] for node in one['nodes'][:3])}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
