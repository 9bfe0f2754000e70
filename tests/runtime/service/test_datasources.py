"""Datasources: built once before the handlers are imported, shared, closed at the end."""

from __future__ import annotations

import asyncio

from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.runtime.service import Service
from tests.runtime.support import served, write

FILES = {
    "datasources/store.yaml": "fn: stores.make\nsize: 3\n",
    "events/all.yaml": "websocket.size: {fn: size, payload: {}}\n",
    "functions/size.py": "async def size(datasources): return datasources.store.size\n",
    "functions/stores.py": """
        CLOSED = []
        class Store:
            def __init__(self, size): self.size = size
            async def aclose(self): CLOSED.append(self.size)
        async def make(config): return Store(config["size"])
        """,
}


def test_a_factory_gets_its_file_and_is_closed_at_the_end(tmp_path):
    import sys

    with served(tmp_path, FILES) as running:
        with running.client() as client:
            assert client.ask("websocket.size")["payload"]["data"] == 3
        closed = sys.modules["functions.stores"].CLOSED
        assert closed == []
    assert closed == [3]


def test_a_datasource_that_cannot_be_built_is_a_finding(tmp_path):
    """GS215: nothing is bound."""
    for path, text in {**FILES, "functions/stores.py": "def make(): raise OSError('no disk')\n"}.items():
        write(tmp_path, path, text)
    write(tmp_path, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")

    async def main():
        project = load_project(tmp_path.resolve(), plugins=facts(), environ={})
        assert project.ok()
        service = Service(project)
        findings = await service.load()
        await service.stop()
        return [(finding.code, finding.message, finding.span.path) for finding in findings]

    assert asyncio.run(main()) == [
        ("GS215", "datasource `store` cannot be built: OSError: no disk", "datasources/store.yaml")
    ]
