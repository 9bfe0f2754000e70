"""
Tests of a project by its users: serve it in this process, ask it, cut its connections, stand in for its model.

Only names; they are imported when they are asked for, so that the pytest plugin costs a run without it nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsws.errors import ConnectionClosed as ConnectionClosed
    from gsws.testing.answers import Answer as Answer
    from gsws.testing.answers import Stream as Stream
    from gsws.testing.capture import Broadcast as Broadcast
    from gsws.testing.client import Client as Client
    from gsws.testing.client import HandshakeRefused as HandshakeRefused
    from gsws.testing.gemini.fake import FakeGemini as FakeGemini
    from gsws.testing.loading import ProjectError as ProjectError
    from gsws.testing.project import ServedProject as ServedProject
    from gsws.testing.project import serve as serve
    from gsws.testing.proxy import Fault as Fault
    from gsws.testing.proxy import FaultProxy as FaultProxy
    from gsws.testing.proxy import random_faults as random_faults

__all__ = [
    "Answer",
    "Broadcast",
    "Client",
    "ConnectionClosed",
    "FakeGemini",
    "Fault",
    "FaultProxy",
    "HandshakeRefused",
    "ProjectError",
    "ServedProject",
    "Stream",
    "random_faults",
    "serve",
]

_LAZY = {
    "Answer": "gsws.testing.answers",
    "Broadcast": "gsws.testing.capture",
    "Client": "gsws.testing.client",
    "ConnectionClosed": "gsws.errors",
    "FakeGemini": "gsws.testing.gemini.fake",
    "Fault": "gsws.testing.proxy",
    "FaultProxy": "gsws.testing.proxy",
    "HandshakeRefused": "gsws.testing.client",
    "ProjectError": "gsws.testing.loading",
    "ServedProject": "gsws.testing.project",
    "Stream": "gsws.testing.answers",
    "random_faults": "gsws.testing.proxy",
    "serve": "gsws.testing.project",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module `gsws.testing` has no attribute `{name}`")
