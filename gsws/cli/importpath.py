"""
What this process may import: nothing that lies where it was started, which may be a checkout of somebody else's.

Comes before every other import of the command; a project's own code is loaded by `gsws.routing.modules`.
"""

from __future__ import annotations

import os
import sys

__all__ = ["leave_relative_places"]


def leave_relative_places() -> None:
    """Take out what ``PYTHONPATH`` names relative to the working directory, as an empty item does by accident."""
    items = os.environ.get("PYTHONPATH")
    if items is None:
        return
    relative = {os.path.abspath(item) for item in items.split(os.pathsep) if not os.path.isabs(item)}  # noqa: PTH100, PTH117
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) not in relative]  # noqa: PTH100
