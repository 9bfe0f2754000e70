"""
Who a connection belongs to (protocol section 4): credentials are gathered, checked, and watched until they expire.

What an authenticated client may do is `authz`, which is decided in `gsws.runtime.requests.execution`.
"""

from gsws.runtime.identity.authenticator import Authenticator
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified

__all__ = ["Authenticator", "Refused", "Unavailable", "Verified"]
