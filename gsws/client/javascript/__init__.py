"""The JavaScript client, one file without dependencies: `gsws.js`, served by every WebSocket source at ``/gsws.js``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["FOLDER"]

FOLDER: Final = Path(__file__).parent
"""Where `gsws.js` is."""
