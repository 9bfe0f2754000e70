"""
The Autobahn test suite passes (RFC 6455 and RFC 7692).

Groups 1 to 7 and 10 run always, on both event loops; 9, 12 and 13 with ``GSWS_AUTOBAHN=all`` (13 minutes).
"""

from __future__ import annotations

import os

import pytest

from tests.conformance.autobahn import ALL_GROUPS, FAST_GROUPS, SuiteMissing, find_suite, run_suite


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command of the suite; without one a skip that says why, or a failure where it is required."""
    try:
        return find_suite()
    except SuiteMissing as missing:
        if os.environ.get("CI") and os.environ.get("GSWS_REQUIRE_AUTOBAHN"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.mark.autobahn
@pytest.mark.timeout(900)  # the first run installs the suite
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_autobahn(suite: list[str], loop: str) -> None:
    """Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing: every case strictly."""
    results = run_suite(suite, FAST_GROUPS, loop, timeout=240)
    assert [result for result in results if not result.passed] == []
    assert len(results) == 247


@pytest.mark.autobahn
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get("GSWS_AUTOBAHN") != "all", reason="takes 13 minutes: set GSWS_AUTOBAHN=all")
def test_autobahn_limits_and_compression(suite: list[str]) -> None:
    """Messages of 16 MiB, in fragments of 64 bytes, and permessage-deflate in all its variants."""
    groups = tuple(group for group in ALL_GROUPS if group not in FAST_GROUPS)
    results = run_suite(suite, groups, "uvloop", timeout=3000)
    assert [result for result in results if not result.passed] == []
    assert len(results) == 270
