"""A little of the fuzzing, with seeds that are printed; `python -m tests.soak.fuzz` goes on as long as one likes."""

from __future__ import annotations

import random

from gsws.testing import serve
from tests.soak.fuzz import fuzz_bytes, fuzz_envelopes
from tests.testing.support import make_project


def test_odd_envelopes_harm_nobody():
    """P2.3, P7.2, P7.3: each is answered by a frame of the protocol, or by none."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    outcome = fuzz_envelopes(seed, 20.0, limit=4000)

    assert outcome["stream.error invalid_json"] > 50
    assert outcome["reply"] > 10


def test_odd_bytes_harm_nobody(tmp_path):
    """P7.3: broken framing closes its own connection."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with serve(make_project(tmp_path)) as project:
        outcome = fuzz_bytes(project, seed, 2.0)

    assert outcome.total() > 5
