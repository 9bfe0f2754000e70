"""Every code has an entry that helps."""

from __future__ import annotations

import re

from gsws.diagnostics import CATALOGUE, Severity


def test_codes_are_in_order_and_explained():
    assert list(CATALOGUE) == sorted(CATALOGUE)
    for code, entry in CATALOGUE.items():
        assert re.fullmatch(r"GS\d{3}", code)
        assert entry.code == code
        assert isinstance(entry.severity, Severity)
        assert entry.title == entry.title.strip()
        assert entry.explanation.endswith(".")
        assert "\n" not in entry.title
