"""The composition root: a loaded project becomes a running service, and ends again."""

from __future__ import annotations

from gsws.runtime.service.service import Service

__all__ = ["Service"]
