"""The profiles of a connection (protocol section 3): which one is spoken is chosen by the subprotocol."""

from typing import Final

__all__ = ["SUBPROTOCOL"]

SUBPROTOCOL: Final = "gsws.v1"
"""The profile *session*; without it a connection has the profile *plain*."""
